//! Decodes any frame by Kafka's message schemas, into JSON. Shares no code with `titorelli::wire`.

use std::cell::RefCell;

use serde_json::{Map, Value, json};

/// The schemas of every API in the corpus.
pub(super) struct Schemas(Value);

/// A request as the schemas read it.
pub(super) struct Request {
    pub(super) api: String,
    pub(super) version: i16,
    pub(super) correlation_id: i32,
    pub(super) client_id: Option<String>,
    pub(super) body: Value,
}

/// Where a field begins, counted in bytes that are left; how deep it lies; what it is.
pub(super) type Mark = (usize, usize, String);

type Decoded<T> = Result<T, String>;

impl Schemas {
    pub(super) fn of_kafka() -> Self {
        let text = include_str!("../../data/corpus/schemas.json");
        Self(serde_json::from_str(text).unwrap())
    }

    fn is_flexible(&self, api: &str, version: i16) -> bool {
        self.0[api]["flex"]
            .as_i64()
            .is_some_and(|flex| i64::from(version) >= flex)
    }

    /// A request frame without its length prefix.
    pub(super) fn request(&self, frame: &[u8]) -> Decoded<Request> {
        self.marked_request(frame, &RefCell::default())
    }

    /// The same, and where each field of it begins.
    pub(super) fn marked_request(
        &self,
        frame: &[u8],
        marks: &RefCell<Vec<Mark>>,
    ) -> Decoded<Request> {
        let mut cursor = Cursor {
            bytes: frame,
            flexible: false,
            version: 0,
            depth: 0,
            marks: Some(marks),
        };
        cursor.mark("api key");
        let key = cursor.int(2)?;
        cursor.mark("version");
        let version = i16::try_from(cursor.int(2)?).unwrap();
        cursor.mark("correlation id");
        let correlation_id = i32::try_from(cursor.int(4)?).unwrap();
        let (api, schema) = self
            .0
            .as_object()
            .unwrap()
            .iter()
            .find(|(_, schema)| schema["key"] == key)
            .ok_or_else(|| format!("api key {key}"))?;
        cursor.version = version;
        let client = cursor.value(
            &json!({"n": "client id", "t": "string", "null": "0+"}),
            "string",
        )?;
        cursor.flexible = self.is_flexible(api, version);
        cursor.structure(&json!([]))?;
        let body = cursor.structure(&schema["req"])?;
        cursor.end()?;
        let client_id = client.as_str().map(str::to_owned);
        Ok(Request {
            api: api.clone(),
            version,
            correlation_id,
            client_id,
            body,
        })
    }

    /// A response frame without its length prefix.
    pub(super) fn response(&self, api: &str, version: i16, frame: &[u8]) -> Decoded<Value> {
        self.marked_response(api, version, frame, &RefCell::default())
    }

    /// The same, and where each field of it begins.
    pub(super) fn marked_response(
        &self,
        api: &str,
        version: i16,
        frame: &[u8],
        marks: &RefCell<Vec<Mark>>,
    ) -> Decoded<Value> {
        let is_api_versions = api == "ApiVersions";
        let refused = is_api_versions && frame.get(4..6) == Some(&[0, 35]);
        let version = if refused { 0 } else { version };
        let mut cursor = Cursor {
            bytes: frame,
            flexible: false,
            version,
            depth: 0,
            marks: Some(marks),
        };
        cursor.mark("correlation id");
        cursor.int(4)?;
        cursor.flexible = self.is_flexible(api, version);
        if !is_api_versions {
            cursor.structure(&json!([]))?;
        }
        let body = cursor.structure(&self.0[api]["resp"])?;
        cursor.end()?;
        Ok(body)
    }
}

/// Whether `spec` ("3+", "8-10", "4", "none" or absent) includes the version.
pub(super) fn includes(spec: &Value, version: i16) -> bool {
    let Some(spec) = spec.as_str().filter(|spec| *spec != "none") else {
        return false;
    };
    if let Some(min) = spec.strip_suffix('+') {
        return version >= min.parse().unwrap();
    }
    let (min, max) = spec.split_once('-').unwrap_or((spec, spec));
    (min.parse().unwrap()..=max.parse().unwrap()).contains(&version)
}

struct Cursor<'a> {
    bytes: &'a [u8],
    flexible: bool,
    version: i16,
    /// How many structures this one lies in.
    depth: usize,
    /// Where fields begin, if someone wants to know; not exact inside tagged fields.
    marks: Option<&'a RefCell<Vec<Mark>>>,
}

impl<'a> Cursor<'a> {
    fn mark(&self, label: &str) {
        if let Some(marks) = self.marks {
            marks
                .borrow_mut()
                .push((self.bytes.len(), self.depth, label.to_owned()));
        }
    }

    fn take(&mut self, count: usize) -> Decoded<&'a [u8]> {
        let (taken, rest) = self.bytes.split_at_checked(count).ok_or("cut short")?;
        self.bytes = rest;
        Ok(taken)
    }

    fn end(&self) -> Decoded<()> {
        if self.bytes.is_empty() {
            Ok(())
        } else {
            Err(format!("{} left", self.bytes.len()))
        }
    }

    fn int(&mut self, size: usize) -> Decoded<i64> {
        let bytes = self.take(size)?;
        let sign = if bytes[0] >= 0x80 { -1 } else { 0 };
        Ok(bytes
            .iter()
            .fold(sign, |int, byte| int << 8 | i64::from(*byte)))
    }

    fn varint(&mut self) -> Decoded<usize> {
        let mut value = 0;
        for shift in (0..35).step_by(7) {
            let byte = self.take(1)?[0];
            value |= usize::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err("varint too long".to_owned())
    }

    fn length(&mut self, size: usize, nullable: bool) -> Decoded<Option<usize>> {
        let length = if self.flexible {
            i64::try_from(self.varint()?).unwrap() - 1
        } else {
            self.int(size)?
        };
        match usize::try_from(length) {
            Ok(length) => Ok(Some(length)),
            Err(_) if length == -1 && nullable => Ok(None),
            Err(_) => Err(format!("length {length}")),
        }
    }

    fn value(&mut self, field: &Value, kind: &str) -> Decoded<Value> {
        let nullable = includes(&field["null"], self.version);
        self.mark(field["n"].as_str().unwrap_or("element"));
        Ok(match kind {
            "int8" => self.int(1)?.into(),
            "int16" => self.int(2)?.into(),
            "int32" => self.int(4)?.into(),
            "int64" => self.int(8)?.into(),
            "bool" => (self.int(1)? != 0).into(),
            "uuid" => hex(self.take(16)?).into(),
            "string" => match self.length(2, nullable)? {
                None => Value::Null,
                Some(length) => {
                    let bytes = self.take(length)?.to_vec();
                    String::from_utf8(bytes)
                        .map_err(|error| error.to_string())?
                        .into()
                }
            },
            "bytes" | "records" => match self.length(4, nullable)? {
                None => Value::Null,
                Some(length) => hex(self.take(length)?).into(),
            },
            _ => match kind.strip_prefix("[]") {
                None => self.structure(&field["f"])?,
                Some(element) => self.array(field, element, nullable)?,
            },
        })
    }

    fn array(&mut self, field: &Value, element: &str, nullable: bool) -> Decoded<Value> {
        let Some(count) = self.length(4, nullable)? else {
            return Ok(Value::Null);
        };
        if count > self.bytes.len() {
            return Err(format!("array of {count}"));
        }
        self.depth += 1;
        let elements: Decoded<Vec<Value>> = (0..count)
            .map(|_| match field.get("f") {
                Some(fields) => self.structure(fields),
                None => self.value(&json!({}), element),
            })
            .collect();
        self.depth -= 1;
        Ok(elements?.into())
    }

    fn structure(&mut self, fields: &Value) -> Decoded<Value> {
        let fields = fields.as_array().unwrap();
        let is_tagged = |field: &Value| includes(&field["tv"], self.version);
        let (tagged, plain): (Vec<&Value>, Vec<&Value>) =
            fields.iter().partition(|field| is_tagged(field));
        let mut object = Map::new();
        for field in plain {
            if includes(&field["v"], self.version) {
                let value = self.value(field, field["t"].as_str().unwrap())?;
                object.insert(field["n"].as_str().unwrap().to_owned(), value);
            }
        }
        if self.flexible {
            self.mark("tagged fields");
            for _ in 0..self.varint()? {
                let (tag, size) = (self.varint()?, self.varint()?);
                let mut inside = Cursor {
                    bytes: self.take(size)?,
                    ..*self
                };
                if let Some(field) = tagged.iter().find(|field| field["tag"] == tag) {
                    let value = inside.value(field, field["t"].as_str().unwrap())?;
                    inside.end()?;
                    object.insert(field["n"].as_str().unwrap().to_owned(), value);
                }
            }
        }
        Ok(object.into())
    }
}

/// Lower-case hex.
pub(super) fn hex(bytes: &[u8]) -> String {
    let digit = |digit: u8| char::from_digit(u32::from(digit), 16).unwrap();
    bytes
        .iter()
        .flat_map(|byte| [digit(byte >> 4), digit(byte & 15)])
        .collect()
}

/// The bytes of lower-case hex.
pub(super) fn unhex(text: &str) -> Vec<u8> {
    let byte = |at: usize| u8::from_str_radix(&text[at..at + 2], 16).unwrap();
    (0..text.len()).step_by(2).map(byte).collect()
}
