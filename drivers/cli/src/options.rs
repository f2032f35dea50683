//! Options that several subcommands share, and how they become a [`Config`].

use clap::Args;
use std::error::Error;
use std::path::PathBuf;
use titorelli::config::{KEYS, Key};
use titorelli_mio::{Config, ConfigError};

/// Any key of the configuration. What comes later counts: the defaults, a file, the command's own
/// options, `-X`.
#[derive(Args, Clone, Debug)]
pub(crate) struct Settings {
    /// Begin with the defaults for records that must arrive: acks=all, retried until the delivery
    /// timeout of 120 s, in order, larger batches.
    #[arg(long)]
    durable: bool,
    /// A properties file with keys of the configuration, `key=value` on each line.
    #[arg(
        short = 'F',
        long = "config-file",
        alias = "producer.config",
        value_name = "FILE"
    )]
    file: Option<PathBuf>,
    /// A key of the configuration, by its kafka-python, Java or librdkafka name; `titorelli config`
    /// lists them. Repeatable; of several values of a key the last counts.
    #[arg(short = 'X', long = "setting", alias = "opt")]
    #[arg(value_name = "KEY=VALUE", value_parser = key_value)]
    pairs: Vec<(String, String)>,
    /// Record every call of the core in FILE, for `titorelli sim --replay`: keys, values and header
    /// values with their lengths only, unless `-X trace_payloads=true`.
    #[arg(long, value_name = "FILE")]
    record: Option<String>,
}

impl Settings {
    /// The defaults, before anything is set.
    pub(crate) fn defaults(&self) -> Config {
        if self.durable {
            Config::durable()
        } else {
            Config::default()
        }
    }

    /// The configuration. `config` are the command's own defaults, `given` the keys that its other
    /// options set.
    ///
    /// # Errors
    ///
    /// A file that cannot be read, a key that does not exist, a value that it cannot have, or
    /// values that do not fit together.
    pub(crate) fn config(
        &self,
        mut config: Config,
        given: &[(&str, &str)],
    ) -> Result<Config, Box<dyn Error>> {
        let mut sources = Sources::default();
        sources.note_defaults("--durable", &self.defaults());
        sources.note_defaults("the command's own defaults", &config);
        if let Some(file) = &self.file {
            let told = |error: &dyn Error| format!("{}: {error}", file.display());
            let text = std::fs::read_to_string(file).map_err(|error| told(&error))?;
            config.set_properties(&text).map_err(|error| told(&error))?;
            let mut alone = Config::default();
            alone.set_properties(&text).expect("just read");
            sources.note(&file.display().to_string(), &alone);
        }
        let file = self.record.as_deref().map(|file| ("trace_path", file));
        let given: Vec<_> = given.iter().copied().chain(file).collect();
        let pairs = self.pairs.iter().map(|(key, value)| (&**key, &**value));
        let pairs: Vec<_> = pairs.collect();
        for (source, pairs) in [("the command's options", given), ("-X", pairs)] {
            for (key, value) in &pairs {
                config.set(key, value)?;
            }
            sources.note(source, &Config::from_pairs(pairs).expect("just set"));
        }
        match config.check() {
            Ok(()) => Ok(config),
            Err(error) => Err(sources.explain(&error, &config).into()),
        }
    }
}

/// Which keys each source of values gives, in the order in which they count.
#[derive(Default)]
struct Sources(Vec<(String, Vec<&'static str>)>);

impl Sources {
    /// A source of text, of which `alone` was made.
    fn note(&mut self, source: &str, alone: &Config) {
        let names = KEYS.iter().map(|key| key.name);
        let given = names.filter(|name| alone.is_given(name)).collect();
        self.0.push((source.to_owned(), given));
    }

    /// A source that changes some of the defaults.
    fn note_defaults(&mut self, source: &str, config: &Config) {
        let is_own = |key: &&Key| config.is_given(key.name) || key.value_in(config) != key.default;
        let own = KEYS.iter().filter(is_own).map(|key| key.name);
        // What --durable has changed is in the command's own defaults too, and is not theirs.
        let is_known = |name: &&str| self.0.iter().any(|(_, known)| known.contains(name));
        let new = own.filter(|name| !is_known(name)).collect();
        self.0.push((source.to_owned(), new));
    }

    /// The error, with the value at fault and who set it; the error itself tells of defaults.
    fn explain(&self, error: &ConfigError, config: &Config) -> String {
        // What the library calls so is an option here.
        let words = error.to_string().replace("Config::durable()", "--durable");
        let key = KEYS.iter().find(|key| key.name == error.key);
        let gives = |(_, given): &&(String, Vec<&str>)| given.contains(&&*error.key);
        match (key, self.0.iter().rfind(gives)) {
            (Some(key), Some((source, _))) => {
                let value = key.value_in(config);
                format!("{words} ({}={value} is from {source})", key.name)
            }
            (None, _) | (_, None) => words,
        }
    }
}

/// Where the cluster is, and any key of the configuration.
#[derive(Args, Clone, Debug)]
pub(crate) struct Connection {
    /// Brokers to ask for the cluster first; needed unless a file or `-X bootstrap_servers` names
    /// them.
    #[arg(
        short = 'b',
        long = "bootstrap",
        alias = "bootstrap-server",
        value_name = "HOST:PORT"
    )]
    #[arg(value_delimiter = ',')]
    #[arg(value_parser = clap::builder::NonEmptyStringValueParser::new())]
    bootstrap: Vec<String>,
    #[command(flatten)]
    settings: Settings,
}

impl Connection {
    /// The configuration.
    ///
    /// # Errors
    ///
    /// As [`Settings::config`], and when nothing names a broker: lines that were meant for another
    /// cluster are not sent to the one that happens to be on this machine.
    pub(crate) fn config(&self) -> Result<Config, Box<dyn Error>> {
        let servers = self.bootstrap.join(",");
        let given = [("bootstrap_servers", &*servers)];
        let count = usize::from(!self.bootstrap.is_empty());
        let mut defaults = self.settings.defaults();
        defaults.bootstrap_servers.clear();
        let config = self.settings.config(defaults, &given[..count])?;
        if config.bootstrap_servers.is_empty() {
            return Err("no brokers to ask: give -b HOST:PORT, or bootstrap_servers".into());
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
