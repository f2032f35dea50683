//! The simulated handle has every public method of the driver's, with the same arguments and the
//! same result, and no other: read from the text, so that neither can grow alone.

use crate::tidy::everything;
use std::collections::BTreeMap;

/// What the driver's handle has and the simulated one has not: how it is made, and what became of
/// `trace_path`, for there are no files.
const OWN: [&str; 3] = ["new", "builder", "recording"];

/// Public methods of these types below a folder: `Type::name`, and the rest of the signature.
fn methods(folder: &str, types: &[&str]) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for source in everything() {
        if !source.path.starts_with(folder) {
            continue;
        }
        for block in source.text.split("\nimpl").skip(1) {
            let block = block.split("\n}\n").next().unwrap_or_default();
            let Some(head) = block
                .split('{')
                .next()
                .filter(|head| !head.contains(" for "))
            else {
                continue;
            };
            let named = types.iter().find(|name| {
                let last = head
                    .trim()
                    .rsplit_once("> ")
                    .map_or(head.trim(), |(_, last)| last);
                last == **name || last.starts_with(&format!("{name}<"))
            });
            let Some(named) = named else {
                continue;
            };
            for method in block.split("\n    pub ").skip(1) {
                let text = method.split('{').next().unwrap_or_default();
                let text = text.trim_start_matches("const ");
                let Some(signature) = text.strip_prefix("fn ") else {
                    continue;
                };
                // Callbacks stay on the thread.
                let signature = signature.replace(" + Send", "");
                let end = signature.find(['(', '<']).expect("arguments");
                let (name, rest) = signature.split_at(end);
                let words: Vec<&str> = rest.split_whitespace().collect();
                let rest = words.join(" ").replace("( ", "(").replace(", )", ")");
                found.insert(format!("{named}::{name}"), rest);
            }
        }
    }
    found
}

#[test]
fn the_simulated_handle_mirrors_the_drivers() {
    let types = ["Producer", "TypedProducer", "DeliveryFuture"];
    let mut real = methods("drivers/mio/src/", &types);
    real.retain(|name, _| !OWN.iter().any(|own| *name == format!("Producer::{own}")));
    assert!(real.len() > 15, "methods are found: {real:?}");
    assert_eq!(methods("sim/src/simulation/", &types), real);
}
