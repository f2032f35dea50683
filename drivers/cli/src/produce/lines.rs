//! Files and pipes as chunks of whole lines, read by a thread of their own.
//!
//! Owns: reading, the seam between two reads. Never: what a line means.
//! A line is what stands before a `\n`, a `\r` included; what follows the last `\n` of a file is a
//! line when it is not empty. Buffers go round between the two threads: nothing is allocated per
//! line, and a pipe's lines are handed on as soon as they arrive.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, SyncSender, channel, sync_channel};
use std::thread;
use std::time::Duration;

/// Bytes of one read.
const READ_BYTES: usize = 256 * 1024;
/// Chunks that may wait for the producer; then reading pauses.
const CHUNKS_AHEAD: usize = 4;
/// The longest line. Kafka's own limit on a request is far below it.
const LINE_BYTES_MAX: usize = 128 * 1024 * 1024;

/// What [`Lines::next_chunk`] found.
#[derive(Debug)]
pub(crate) enum Next {
    /// Whole lines; hand the buffer back with [`Lines::recycle`].
    Chunk(Vec<u8>),
    /// Nothing within the time given.
    Idle,
    /// All input was read.
    End,
    /// Reading failed here, and is over.
    Failed(io::Error),
}

/// The input, being read.
pub(crate) struct Lines {
    chunks: Receiver<io::Result<Vec<u8>>>,
    used: Sender<Vec<u8>>,
}

impl Lines {
    /// Begins to read these files, in order. `-` is standard input, and so is an empty list.
    ///
    /// # Errors
    ///
    /// A file that cannot be opened; nothing was read then.
    pub(crate) fn open(paths: &[PathBuf]) -> io::Result<Self> {
        let mut sources: Vec<Box<dyn Read + Send>> = Vec::new();
        for path in paths {
            sources.push(open(path)?);
        }
        if sources.is_empty() {
            sources.push(Box::new(io::stdin()));
        }
        Ok(Self::from_sources(sources))
    }

    fn from_sources(sources: Vec<Box<dyn Read + Send>>) -> Self {
        let (filled, chunks) = sync_channel(CHUNKS_AHEAD);
        let (used, empties) = channel();
        thread::spawn(move || {
            let mut splitter = Splitter {
                filled,
                empties,
                chunk: Vec::new(),
                len: 0,
            };
            for mut source in sources {
                if splitter.read(source.as_mut()).is_err() {
                    break;
                }
            }
        });
        Self { chunks, used }
    }

    /// The next chunk of whole lines, within `patience`.
    pub(crate) fn next_chunk(&self, patience: Duration) -> Next {
        match self.chunks.recv_timeout(patience) {
            Ok(Ok(chunk)) => Next::Chunk(chunk),
            Ok(Err(error)) => Next::Failed(error),
            Err(RecvTimeoutError::Timeout) => Next::Idle,
            Err(RecvTimeoutError::Disconnected) => Next::End,
        }
    }

    /// Gives a chunk's buffer back to the reader.
    pub(crate) fn recycle(&self, chunk: Vec<u8>) {
        // A reader that has ended needs no buffers.
        let _ended = self.used.send(chunk);
    }
}

fn open(path: &Path) -> io::Result<Box<dyn Read + Send>> {
    if path.as_os_str() == "-" {
        return Ok(Box::new(io::stdin()));
    }
    let named = Named {
        path: path.to_owned(),
        file: File::open(path).map_err(|error| about(path, &error))?,
    };
    // A directory opens as a file does, and cannot be read.
    if named.file.metadata().is_ok_and(|found| found.is_dir()) {
        return Err(about(path, &io::ErrorKind::IsADirectory.into()));
    }
    Ok(Box::new(named))
}

/// A file that says in its errors which one it is.
struct Named {
    path: PathBuf,
    file: File,
}

impl Read for Named {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read(buffer);
        read.map_err(|error| about(&self.path, &error))
    }
}

fn about(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

/// The other side went away: there is nobody to read for.
struct Abandoned;

/// The reading side: fills buffers and cuts them behind a line's end.
struct Splitter {
    filled: SyncSender<io::Result<Vec<u8>>>,
    empties: Receiver<Vec<u8>>,
    /// Invariant: `chunk[..len]` is read and not yet handed on, and holds no whole line between
    /// two reads.
    chunk: Vec<u8>,
    len: usize,
}

impl Splitter {
    /// Reads one source to its end.
    fn read(&mut self, source: &mut dyn Read) -> Result<(), Abandoned> {
        loop {
            if self.chunk.len() - self.len < READ_BYTES / 2 {
                self.chunk
                    .resize((self.len + READ_BYTES).next_power_of_two(), 0);
            }
            let count = match source.read(&mut self.chunk[self.len..]) {
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return self.fail(error),
            };
            if count == 0 {
                return self.hand_on(self.len);
            }
            let fresh = self.len..self.len + count;
            self.len += count;
            if let Some(end) = memchr::memrchr(b'\n', &self.chunk[fresh.clone()]) {
                self.hand_on(fresh.start + end + 1)?;
            } else if self.len > LINE_BYTES_MAX {
                let words = format!("a line is longer than {LINE_BYTES_MAX} bytes");
                return self.fail(io::Error::new(io::ErrorKind::InvalidData, words));
            }
        }
    }

    /// Hands on the first `end` bytes; the rest moves to the next buffer.
    fn hand_on(&mut self, end: usize) -> Result<(), Abandoned> {
        if end == 0 {
            return Ok(());
        }
        let mut next = self.empties.try_recv().unwrap_or_default();
        let rest = self.len - end;
        if next.len() < rest {
            next.resize(rest, 0);
        }
        next[..rest].copy_from_slice(&self.chunk[end..self.len]);
        let mut whole = std::mem::replace(&mut self.chunk, next);
        self.len = rest;
        whole.truncate(end);
        self.filled.send(Ok(whole)).map_err(|_| Abandoned)
    }

    fn fail(&self, error: io::Error) -> Result<(), Abandoned> {
        let _abandoned = self.filled.send(Err(error));
        Err(Abandoned)
    }
}

/// The lines of a chunk, without their `\n`.
pub(crate) fn lines(chunk: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut start = 0;
    let mut ends = memchr::memchr_iter(b'\n', chunk);
    std::iter::from_fn(move || {
        let end = ends.next().unwrap_or(chunk.len());
        let line = chunk.get(start..end)?;
        if line.is_empty() && end == chunk.len() {
            return None;
        }
        start = end + 1;
        Some(line)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives at most `step` bytes at a time.
    struct Trickle {
        bytes: Vec<u8>,
        at: usize,
        step: usize,
    }

    impl Read for Trickle {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let count = self.step.min(self.bytes.len() - self.at).min(buffer.len());
            buffer[..count].copy_from_slice(&self.bytes[self.at..self.at + count]);
            self.at += count;
            Ok(count)
        }
    }

    fn all(files: &[&[u8]], step: usize) -> Vec<Vec<u8>> {
        let sources = files.iter().map(|bytes| {
            Box::new(Trickle {
                bytes: bytes.to_vec(),
                at: 0,
                step,
            }) as Box<dyn Read + Send>
        });
        let input = Lines::from_sources(sources.collect());
        let mut found = Vec::new();
        loop {
            match input.next_chunk(Duration::from_secs(10)) {
                Next::Chunk(chunk) => {
                    found.extend(lines(&chunk).map(<[u8]>::to_vec));
                    input.recycle(chunk);
                }
                Next::End => return found,
                Next::Idle | Next::Failed(_) => panic!("the input ends without failing"),
            }
        }
    }

    #[test]
    fn a_line_is_what_stands_before_a_newline_however_the_bytes_arrive() {
        for step in [1, 2, 3, 7, 1 << 20] {
            assert_eq!(
                all(&[b"one\ntwo\r\n\nfour"], step),
                [&b"one"[..], b"two\r", b"", b"four"]
            );
            assert_eq!(all(&[b"\n"], step), [b""]);
            assert_eq!(all(&[b""], step), Vec::<Vec<u8>>::new());
        }
    }

    #[test]
    fn a_line_does_not_reach_from_one_file_into_the_next() {
        assert_eq!(
            all(&[b"a", b"b\nc", b"", b"\nd"], 2),
            [&b"a"[..], b"b", b"c", b"", b"d"]
        );
    }

    #[test]
    fn a_line_longer_than_the_buffer_stays_whole() {
        let mut bytes = vec![b'x'; 3 * READ_BYTES + 17];
        bytes.extend_from_slice(b"\nend\n");
        let found = all(&[&bytes], 100_000);
        assert_eq!(found.len(), 2);
        assert_eq!(found[0].len(), 3 * READ_BYTES + 17);
        assert_eq!(found[1], b"end");
    }
}
