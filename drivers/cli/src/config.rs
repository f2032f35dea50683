//! `titorelli config`: every key of the configuration, from the table that defines them.

use crate::Ended;
use crate::output::print;
use clap::{Args, ValueEnum};
use std::fmt::Write;
use std::process::ExitCode;
use titorelli::config::{KEYS, Key};
use titorelli_mio::Config;

/// The width of a text.
const COLUMNS: usize = 80;
/// How far meanings are set in.
const INDENT: usize = 4;

/// List every key of the configuration: type, default, meaning and the names other clients have
/// for it.
#[derive(Args)]
pub(crate) struct Keys {
    /// How to list them.
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

#[derive(Clone, Copy, ValueEnum)]
enum Format {
    /// A paragraph each.
    Text,
    /// Tables in Markdown, as in docs/configuration.md.
    Markdown,
    /// A properties file that sets every key to its default.
    Properties,
}

impl Keys {
    /// Prints the list.
    pub(crate) fn run(&self) -> Ended {
        let mut page = String::new();
        match self.format {
            Format::Text => text(&mut page),
            Format::Markdown => markdown(&mut page),
            Format::Properties => properties(&mut page),
        }
        .expect("a String grows");
        print(&page)?;
        Ok(ExitCode::SUCCESS)
    }
}

/// The keys by what they are about.
fn groups() -> impl Iterator<Item = &'static [Key]> {
    KEYS.chunk_by(|a, b| a.group == b.group)
}

fn text(page: &mut String) -> std::fmt::Result {
    for group in groups() {
        writeln!(page, "{}\n", group[0].group)?;
        for key in group {
            writeln!(page, "  {} = {}  ({})", key.name, key.default, key.kind)?;
            for line in wrapped(&meaning(key)) {
                writeln!(page, "{:INDENT$}{line}", "")?;
            }
            if let Some(durable) = durable(key) {
                writeln!(page, "{:INDENT$}with --durable: {durable}", "")?;
            }
            writeln!(page, "{:INDENT$}also: {}\n", "", others(key).join(", "))?;
        }
    }
    Ok(())
}

fn markdown(page: &mut String) -> std::fmt::Result {
    writeln!(
        page,
        "# Configuration\n\n\
         Made by `titorelli config --format markdown` from the table in `src/config/keys.rs`, \
         which\nalso makes the fields of `Config`. Upper and lower case, `_`, `-` and `.` are \
         the same in a\nname. *Durable* is what `Config::durable()` and `--durable` have \
         instead of the default."
    )?;
    for group in groups() {
        writeln!(
            page,
            "\n## {}\n\n| key | default | durable | value | meaning | names elsewhere |\n\
             | --- | --- | --- | --- | --- | --- |",
            group[0].group
        )?;
        for key in group {
            let default = if key.default.is_empty() {
                String::new()
            } else {
                format!("`{}`", key.default)
            };
            let durable = durable(key).map_or(String::new(), |value| format!("`{value}`"));
            let others: Vec<String> = others(key).iter().map(|name| format!("`{name}`")).collect();
            writeln!(
                page,
                "| `{}` | {default} | {durable} | {} | {} | {} |",
                key.name,
                key.kind,
                meaning(key),
                others.join(", ")
            )?;
        }
    }
    Ok(())
}

fn properties(page: &mut String) -> std::fmt::Result {
    for group in groups() {
        writeln!(page, "# {}", group[0].group)?;
        for key in group {
            writeln!(page, "{}={}", key.name, key.default)?;
        }
    }
    Ok(())
}

/// The meaning as one paragraph.
fn meaning(key: &Key) -> String {
    key.meaning.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// What `Config::durable` has instead of the default.
fn durable(key: &Key) -> Option<String> {
    let value = key.value_in(&Config::durable());
    (value != key.default).then_some(value)
}

/// The names but the first; and the field where its name is none of them.
fn others(key: &Key) -> Vec<String> {
    let mut names: Vec<String> = key.aliases.iter().map(|name| (*name).to_owned()).collect();
    names.push(format!("Config::{}", key.field));
    names
}

/// A text in lines.
fn wrapped(text: &str) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let line = lines.last_mut().expect("there is one");
        if !line.is_empty() && INDENT + line.chars().count() + 1 + word.chars().count() > COLUMNS {
            lines.push(word.to_owned());
        } else {
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The page in the repository is the one that the table makes.
    #[test]
    fn the_documentation_is_the_tables() {
        let mut page = String::new();
        markdown(&mut page).expect("a String grows");
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/configuration.md");
        let written = std::fs::read_to_string(path).expect("docs/configuration.md");
        assert!(
            page == written,
            "docs/configuration.md is old: titorelli config --format markdown > {path}"
        );
    }

    #[test]
    fn the_properties_that_it_prints_are_the_defaults() {
        let mut page = String::new();
        properties(&mut page).expect("a String grows");
        let mut config = Config::durable();
        config.set_properties(&page).expect("its own words");
        assert_eq!(config, Config::default());
    }
}
