//! Sends one record over TLS, and says where it was written or what is wrong.
//!
//! `tls BROKER TOPIC [CAFILE [CERTFILE KEYFILE]]`: without a file, the authorities that the system
//! trusts; with all three, the producer shows a certificate of its own.

use std::time::Duration;
use titorelli_mio::{Config, Producer, Record, SecurityProtocol};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(broker), Some(topic)) = (arguments.next(), arguments.next()) else {
        return Err("usage: tls BROKER TOPIC [CAFILE [CERTFILE KEYFILE]]".into());
    };
    let mut config = Config::durable();
    config.bootstrap_servers = vec![broker];
    config.security_protocol = SecurityProtocol::Ssl;
    config.ssl_cafile = arguments.next().map(Into::into);
    config.ssl_certfile = arguments.next().map(Into::into);
    config.ssl_keyfile = arguments.next().map(Into::into);
    config.max_block = Duration::from_secs(10);

    let producer = Producer::new(config)?; // The files are read here.
    let receipt = producer.send(&Record::to(&topic).value(b"over TLS"))?;
    let written = receipt.wait(Duration::MAX).expect("it ends in time")?;
    println!("{topic}-{} offset {}", written.partition, written.offset);
    Ok(())
}
