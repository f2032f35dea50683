//! Options that several subcommands share, and how they become a [`Config`].

use clap::Args;
use titorelli_mio::{Config, ConfigError};

/// Where the cluster is, and any key of the configuration.
#[derive(Args, Clone, Debug)]
pub(crate) struct Connection {
    /// Brokers to ask for the cluster first.
    #[arg(
        short = 'b',
        long = "bootstrap",
        alias = "bootstrap-server",
        value_name = "HOST:PORT"
    )]
    #[arg(value_delimiter = ',', required = true)]
    #[arg(value_parser = clap::builder::NonEmptyStringValueParser::new())]
    bootstrap: Vec<String>,
    /// A key of the configuration, by its Java, kafka-python or librdkafka name. Repeatable.
    #[arg(short = 'X', long = "setting", value_name = "KEY=VALUE", value_parser = key_value)]
    settings: Vec<(String, String)>,
}

impl Connection {
    /// The configuration: defaults, then `more`, then what `-X` says.
    ///
    /// # Errors
    ///
    /// A key that does not exist or whose value cannot be.
    pub(crate) fn config(&self, more: &[(&str, &str)]) -> Result<Config, ConfigError> {
        let mut config = Config::default();
        config.bootstrap_servers.clone_from(&self.bootstrap);
        for (key, value) in more {
            config.set(key, value)?;
        }
        for (key, value) in &self.settings {
            config.set(key, value)?;
        }
        Ok(config)
    }
}

/// `KEY=VALUE`; the value may hold further equals signs.
pub(crate) fn key_value(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("expected KEY=VALUE")?;
    if key.is_empty() {
        return Err("the key is empty".to_owned());
    }
    Ok((key.to_owned(), value.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::key_value;

    #[test]
    fn a_value_may_hold_an_equals_sign_and_may_be_empty() {
        assert_eq!(key_value("a=b=c"), Ok(("a".to_owned(), "b=c".to_owned())));
        assert_eq!(key_value("a="), Ok(("a".to_owned(), String::new())));
        assert!(key_value("a").is_err());
        assert!(key_value("=a").is_err());
    }
}
