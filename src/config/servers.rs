//! `host[:port]` in all the forms that people write.

use crate::error::ConfigError;
use std::sync::Arc;

/// Kafka's port.
const DEFAULT_PORT: u16 = 9_092;

/// An address to resolve and connect to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Server {
    pub(crate) host: Arc<str>,
    pub(crate) port: u16,
}

/// Reads a list of servers; each entry may itself be a list with commas. None at all is
/// `localhost:9092`.
pub(crate) fn parse(entries: &[String]) -> Result<Vec<Server>, ConfigError> {
    let mut servers = Vec::new();
    for entry in entries
        .iter()
        .flat_map(|entry| entry.split(','))
        .map(str::trim)
    {
        if entry.is_empty() {
            continue;
        }
        let server = parse_one(entry).map_err(|reason| {
            ConfigError::new("bootstrap_servers", format!("{entry}: {reason}"))
        })?;
        if !servers.contains(&server) {
            servers.push(server);
        }
    }
    if servers.is_empty() {
        servers.push(Server {
            host: "localhost".into(),
            port: DEFAULT_PORT,
        });
    }
    Ok(servers)
}

fn parse_one(entry: &str) -> Result<Server, &'static str> {
    let (host, port) = if let Some(rest) = entry.strip_prefix('[') {
        let (host, rest) = rest.split_once(']').ok_or("a bracket is not closed")?;
        match rest.strip_prefix(':') {
            Some(port) => (host, Some(port)),
            None if rest.is_empty() => (host, None),
            None => return Err("after the bracket comes :port or nothing"),
        }
    } else {
        match entry.split_once(':') {
            // More than one colon: a bare IPv6 address.
            Some((_, rest)) if rest.contains(':') => (entry, None),
            Some((host, port)) => (host, Some(port)),
            None => (entry, None),
        }
    };
    if host.is_empty() {
        return Err("the host is missing");
    }
    if host.contains(['/', '@']) || host.contains(char::is_whitespace) {
        return Err("not a host name: write host:port, without a scheme");
    }
    let port = match port {
        Some(port) => port.parse().ok().filter(|port| *port > 0),
        None => Some(DEFAULT_PORT),
    };
    let port = port.ok_or("the port is not a number from 1 to 65535")?;
    Ok(Server {
        host: host.into(),
        port,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(entry: &str, expected: Option<&[(&str, u16)]>) {
        let servers = parse(&[entry.to_owned()]).ok();
        let pairs: Option<Vec<(&str, u16)>> = servers.as_ref().map(|servers| {
            servers
                .iter()
                .map(|server| (&*server.host, server.port))
                .collect()
        });
        assert_eq!(pairs.as_deref(), expected, "{entry}");
    }

    #[test]
    fn every_form_is_read() {
        check("kafka", Some(&[("kafka", 9092)]));
        check("kafka:1", Some(&[("kafka", 1)]));
        check("10.0.0.1:9093, b", Some(&[("10.0.0.1", 9093), ("b", 9092)]));
        check("[::1]:9094", Some(&[("::1", 9094)]));
        check("[::1]", Some(&[("::1", 9092)]));
        check("::1", Some(&[("::1", 9092)]));
        check("fe80::1%eth0", Some(&[("fe80::1%eth0", 9092)]));
        check("a,a:9092,,", Some(&[("a", 9092)]));
        check("", Some(&[("localhost", 9092)]));
    }

    #[test]
    fn nonsense_is_refused() {
        for entry in [
            "http://kafka:9092",
            "a b",
            "kafka:",
            "kafka:0",
            "kafka:65536",
            "kafka:x",
            ":9092",
            "[::1",
            "[::1]x",
        ] {
            check(entry, None);
        }
    }
}
