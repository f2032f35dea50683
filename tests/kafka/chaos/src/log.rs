//! What the brokers hold, as the witness wrote it down.

use std::fs;
use std::io;
use std::path::Path;

/// A record that stands in a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) offset: i64,
    /// Its number in the partition, from its value; `None` when it is none of ours.
    pub(crate) number: Option<usize>,
}

/// One partition.
#[derive(Clone, Debug, Default)]
pub(crate) struct Partition {
    /// In the order of the log.
    pub(crate) entries: Vec<Entry>,
    /// First offset of each leader epoch that wrote something, ascending.
    pub(crate) epoch_starts: Vec<i64>,
}

/// Reads what the witness wrote: triples of 64-bit little-endian numbers. (partition, offset,
/// number) is a record, with a negative number for one that is not ours; (partition, offset,
/// `i64::MIN`) says that a leader epoch begins there.
///
/// # Errors
///
/// The file cannot be read, or is no such file.
pub(crate) fn read(path: &Path, partitions: usize) -> io::Result<Vec<Partition>> {
    let bytes = fs::read(path)?;
    let mut log = vec![Partition::default(); partitions];
    for triple in bytes.chunks(24) {
        let field = |at: usize| -> io::Result<i64> {
            let bytes = triple.get(at..at + 8).ok_or(io::ErrorKind::InvalidData)?;
            let bytes = bytes.try_into().map_err(|_| io::ErrorKind::InvalidData)?;
            Ok(i64::from_le_bytes(bytes))
        };
        let (partition, offset, number) = (field(0)?, field(8)?, field(16)?);
        let partition = usize::try_from(partition)
            .ok()
            .and_then(|partition| log.get_mut(partition))
            .ok_or(io::ErrorKind::InvalidData)?;
        if number == i64::MIN {
            partition.epoch_starts.push(offset);
        } else {
            let number = usize::try_from(number).ok();
            partition.entries.push(Entry { offset, number });
        }
    }
    Ok(log)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(name: &str, numbers: &[i64]) -> std::path::PathBuf {
        let name = format!("titorelli-chaos-{}-{name}", std::process::id());
        let path = std::env::temp_dir().join(name);
        let bytes = numbers.iter().flat_map(|number| number.to_le_bytes());
        fs::write(&path, bytes.collect::<Vec<u8>>()).unwrap();
        path
    }

    #[test]
    fn records_strangers_and_epochs_are_told_apart() {
        let path = file("whole", &[1, 7, 3, 1, 8, -1, 1, 7, i64::MIN]);
        let log = read(&path, 2).unwrap();
        fs::remove_file(path).unwrap();
        let entry = |offset, number| Entry { offset, number };
        assert!(log[0].entries.is_empty());
        assert_eq!(log[1].entries, [entry(7, Some(3)), entry(8, None)]);
        assert_eq!(log[1].epoch_starts, [7]);
    }

    #[test]
    fn half_a_record_or_another_partition_is_an_error() {
        for (name, numbers) in [("half", &[0, 0, 0, 0][..]), ("beyond", &[2, 0, 0])] {
            let path = file(name, numbers);
            assert!(read(&path, 2).is_err(), "{name}");
            fs::remove_file(path).unwrap();
        }
    }
}
