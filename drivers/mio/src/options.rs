//! The options of a socket, set before it connects: a buffer's size counts from the first segment.

use mio::net::TcpStream;
use socket2::{Domain, Protocol, Socket, Type};
use std::io;
use std::net::SocketAddr;
use titorelli::Config;

/// What the configuration says about sockets.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SocketOptions {
    receive_buffer_bytes: Option<u32>,
    send_buffer_bytes: Option<u32>,
    tcp_nodelay: bool,
    tcp_keepalive: bool,
}

impl SocketOptions {
    pub(crate) fn of(config: &Config) -> Self {
        Self {
            receive_buffer_bytes: config.receive_buffer_bytes,
            send_buffer_bytes: config.send_buffer_bytes,
            tcp_nodelay: config.tcp_nodelay,
            tcp_keepalive: config.tcp_keepalive,
        }
    }

    /// Begins to connect to an address. Whether it succeeds is told later, by the poller.
    pub(crate) fn connect(&self, address: SocketAddr) -> io::Result<TcpStream> {
        let domain = Domain::for_address(address);
        let socket = Socket::new(domain, Type::STREAM, Some(Protocol::TCP))?;
        socket.set_nonblocking(true)?;
        self.apply(&socket)?;
        match socket.connect(&address.into()) {
            Ok(()) => {}
            Err(error) if is_under_way(&error) => {}
            Err(error) => return Err(error),
        }
        Ok(TcpStream::from_std(socket.into()))
    }

    /// Sets every option. Where the system refuses one, the error names its key.
    fn apply(&self, socket: &Socket) -> io::Result<()> {
        if let Some(bytes) = self.receive_buffer_bytes {
            let set = socket.set_recv_buffer_size(bytes as usize);
            set.map_err(|error| refused("receive_buffer_bytes", &bytes, &error))?;
        }
        if let Some(bytes) = self.send_buffer_bytes {
            let set = socket.set_send_buffer_size(bytes as usize);
            set.map_err(|error| refused("send_buffer_bytes", &bytes, &error))?;
        }
        let set = socket.set_tcp_nodelay(self.tcp_nodelay);
        set.map_err(|error| refused("tcp_nodelay", &self.tcp_nodelay, &error))?;
        let set = socket.set_keepalive(self.tcp_keepalive);
        set.map_err(|error| refused("tcp_keepalive", &self.tcp_keepalive, &error))
    }
}

fn refused(key: &str, value: &dyn std::fmt::Display, error: &io::Error) -> io::Error {
    let words = format!("the system refuses {key}={value}: {error}");
    io::Error::new(error.kind(), words)
}

/// Whether a connect that did not succeed at once goes on.
fn is_under_way(error: &io::Error) -> bool {
    #[cfg(unix)]
    if error.raw_os_error() == Some(rustix::io::Errno::INPROGRESS.raw_os_error()) {
        return true;
    }
    error.kind() == io::ErrorKind::WouldBlock
}

#[cfg(test)]
mod tests {
    use super::*;
    use socket2::SockRef;

    fn config() -> Config {
        Config::default()
    }

    /// A socket to a listener of our own, with the options of `config`.
    fn connected(config: &Config) -> TcpStream {
        let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
        let address = listener.local_addr().expect("bound");
        let stream = SocketOptions::of(config).connect(address).expect("begun");
        listener.accept().expect("accepted");
        stream
    }

    #[test]
    fn buffer_sizes_are_set_before_the_socket_connects() {
        let mut config = config();
        (config.receive_buffer_bytes, config.send_buffer_bytes) = (Some(20_000), Some(30_000));
        let stream = connected(&config);
        let socket = SockRef::from(&stream);
        // Linux doubles what is asked for, to make room for its own bookkeeping.
        let receive = socket.recv_buffer_size().expect("readable");
        assert!([20_000, 40_000].contains(&receive), "{receive}");
        let send = socket.send_buffer_size().expect("readable");
        assert!([30_000, 60_000].contains(&send), "{send}");
    }

    #[test]
    fn unset_buffer_sizes_are_the_systems() {
        let stream = connected(&config());
        let system = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
        let sizes = |socket: &Socket| socket.send_buffer_size().expect("readable");
        // The system may grow it when the connection is established, never shrink it.
        assert!(sizes(&SockRef::from(&stream)) >= sizes(&system));
    }

    #[test]
    fn nodelay_and_keepalive_are_as_the_configuration_says() {
        for (nodelay, keepalive) in [(true, true), (true, false), (false, true), (false, false)] {
            let mut config = config();
            (config.tcp_nodelay, config.tcp_keepalive) = (nodelay, keepalive);
            let stream = connected(&config);
            let socket = SockRef::from(&stream);
            assert_eq!(socket.tcp_nodelay().expect("readable"), nodelay);
            assert_eq!(socket.keepalive().expect("readable"), keepalive);
        }
    }

    #[test]
    fn an_option_that_the_system_refuses_is_named_by_its_key() {
        // A datagram socket knows no TCP option.
        let socket = Socket::new(Domain::IPV4, Type::DGRAM, None).expect("a socket");
        let error = SocketOptions::of(&config())
            .apply(&socket)
            .expect_err("no TCP");
        let words = error.to_string();
        assert!(
            words.starts_with("the system refuses tcp_nodelay=true: "),
            "{words}"
        );
    }
}
