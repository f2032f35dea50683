//! `host[:port]` in all the forms that people write.

use crate::error::ConfigError;
use core::net::Ipv6Addr;
use std::collections::BTreeSet;
use std::sync::Arc;

/// Kafka's port.
const DEFAULT_PORT: u16 = 9_092;

/// An address to resolve and connect to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Server {
    pub(crate) host: Arc<str>,
    pub(crate) port: u16,
}

/// Reads a list of servers; each entry may itself be a list with commas. None at all is
/// `localhost:9092`.
pub(crate) fn parse(entries: &[String]) -> Result<Vec<Server>, ConfigError> {
    let (mut servers, mut known) = (Vec::new(), BTreeSet::new());
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
        if known.insert(server.clone()) {
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
    if entry.contains("://") {
        return Err("write host:port, without a scheme such as http://");
    }
    if entry.contains(';') {
        return Err("servers are separated by commas");
    }
    let (host, port) = if let Some(rest) = entry.strip_prefix('[') {
        let (host, rest) = rest.split_once(']').ok_or("a bracket is not closed")?;
        if !is_ipv6(host) {
            return Err("in brackets stands an IPv6 address; a list is written a:1,b:2");
        }
        match rest.strip_prefix(':') {
            Some(port) => (host, Some(port)),
            None if rest.is_empty() => (host, None),
            None => return Err("after the bracket comes :port or nothing"),
        }
    } else {
        match entry.split_once(':') {
            Some(_) if is_ipv6(entry) => (entry, None),
            Some((_, rest)) if rest.contains(':') => {
                return Err("more than one colon, and not an IPv6 address");
            }
            Some((host, port)) => (check_name(host)?, Some(port)),
            None => (check_name(entry)?, None),
        }
    };
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

/// An IPv6 address, perhaps with the zone that it is of.
fn is_ipv6(text: &str) -> bool {
    let address = text.split_once('%').map_or(text, |(address, _)| address);
    address.parse::<Ipv6Addr>().is_ok()
}

/// A name or an IPv4 address. Letters of all languages may stand in a name: the system knows.
fn check_name(host: &str) -> Result<&str, &'static str> {
    if host.is_empty() {
        return Err("the host is missing");
    }
    let is_of_a_name = |char: char| match char {
        '.' | '-' | '_' => true,
        _ if char.is_ascii() => char.is_ascii_alphanumeric(),
        _ => !char.is_whitespace(),
    };
    if !host.chars().all(is_of_a_name) {
        return Err("not a host name: write host:port");
    }
    Ok(host)
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
            "[kafka]:9092",
            "[\"h:1\"]",
            "a;b",
            "a:1;b:2",
            "a:b:c",
            "a:1:2",
            "kafka/path",
            "me@kafka",
            "'a:1'",
        ] {
            check(entry, None);
        }
    }

    #[test]
    fn a_slip_is_told_in_words() {
        for (entry, words) in [
            ("http://kafka:9092", "without a scheme"),
            ("PLAINTEXT://kafka:9092", "without a scheme"),
            ("a:1;b:2", "commas"),
            ("[\"h:1\"]", "a list is written"),
            ("a:b:c", "more than one colon"),
        ] {
            let reason = parse(&[entry.to_owned()]).expect_err(entry).reason;
            assert!(reason.contains(words), "{reason}");
        }
    }

    #[test]
    fn many_servers_are_read_in_no_time() {
        let entries: Vec<String> = (0..100_000).map(|n| format!("host-{}", n / 2)).collect();
        assert_eq!(parse(&entries).map(|servers| servers.len()), Ok(50_000));
    }
}
