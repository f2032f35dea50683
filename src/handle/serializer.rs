//! Serializers: keys and values of the application's types become bytes.

use crate::record::Header;
use std::error::Error;

/// What the application's code may fail with.
pub type BoxError = Box<dyn Error + Send + Sync>;

/// Turns keys or values of type `T` into bytes: kafka-python's `key_serializer` and
/// `value_serializer`.
///
/// It runs on the thread that sends, outside every lock; its time is not counted against
/// `max_block`. An error goes to the receipt of the record, and so does a panic; nothing else is
/// harmed. A closure `Fn(topic, headers, &T, &mut Vec<u8>) -> Result<(), E>` is a serializer;
/// [`plain`] and [`fallible`] make one of a function of the value alone.
pub trait Serializer<T: ?Sized>: Send + Sync {
    /// Appends the bytes of `data` to `out`, which is empty.
    ///
    /// # Errors
    ///
    /// The record fails, with this as the source of its error.
    fn serialize(
        &self,
        topic: &str,
        headers: &[Header<'_>],
        data: &T,
        out: &mut Vec<u8>,
    ) -> Result<(), BoxError>;

    /// What stands for no key or no value: false is null; true, whatever was appended to `out`.
    ///
    /// # Errors
    ///
    /// As [`serialize`](Self::serialize).
    fn serialize_none(
        &self,
        topic: &str,
        headers: &[Header<'_>],
        out: &mut Vec<u8>,
    ) -> Result<bool, BoxError> {
        let _ = (topic, headers, out);
        Ok(false)
    }

    /// The producer was closed: once, by its typed producer's `close`.
    fn close(&self) {}
}

impl<T, F, E> Serializer<T> for F
where
    T: ?Sized,
    F: Fn(&str, &[Header<'_>], &T, &mut Vec<u8>) -> Result<(), E> + Send + Sync,
    E: Into<BoxError>,
{
    fn serialize(
        &self,
        topic: &str,
        headers: &[Header<'_>],
        data: &T,
        out: &mut Vec<u8>,
    ) -> Result<(), BoxError> {
        self(topic, headers, data, out).map_err(Into::into)
    }
}

/// Bytes as they are: for anything that is bytes already, such as `str`, `String` and `Vec<u8>`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Raw;

impl<T: AsRef<[u8]> + ?Sized> Serializer<T> for Raw {
    fn serialize(
        &self,
        _topic: &str,
        _headers: &[Header<'_>],
        data: &T,
        out: &mut Vec<u8>,
    ) -> Result<(), BoxError> {
        out.extend_from_slice(data.as_ref());
        Ok(())
    }
}

/// The serializer that is made of a function from the value to bytes.
#[derive(Clone, Copy, Debug)]
pub struct FromFn<F>(F);

/// A serializer of a function that cannot fail, as kafka-python has them: `f(value)` gives bytes.
pub const fn plain<F>(function: F) -> FromFn<F> {
    FromFn(function)
}

impl<T, F, B> Serializer<T> for FromFn<F>
where
    T: ?Sized,
    F: Fn(&T) -> B + Send + Sync,
    B: AsRef<[u8]>,
{
    fn serialize(
        &self,
        _topic: &str,
        _headers: &[Header<'_>],
        data: &T,
        out: &mut Vec<u8>,
    ) -> Result<(), BoxError> {
        out.extend_from_slice((self.0)(data).as_ref());
        Ok(())
    }
}

/// The serializer that is made of a function from the value to bytes or an error.
#[derive(Clone, Copy, Debug)]
pub struct FromFallibleFn<F>(F);

/// A serializer of a function that may fail: `f(value)` gives bytes, or an error for that record.
pub const fn fallible<F>(function: F) -> FromFallibleFn<F> {
    FromFallibleFn(function)
}

impl<T, F, B, E> Serializer<T> for FromFallibleFn<F>
where
    T: ?Sized,
    F: Fn(&T) -> Result<B, E> + Send + Sync,
    B: AsRef<[u8]>,
    E: Into<BoxError>,
{
    fn serialize(
        &self,
        _topic: &str,
        _headers: &[Header<'_>],
        data: &T,
        out: &mut Vec<u8>,
    ) -> Result<(), BoxError> {
        let bytes = (self.0)(data).map_err(Into::into)?;
        out.extend_from_slice(bytes.as_ref());
        Ok(())
    }
}
