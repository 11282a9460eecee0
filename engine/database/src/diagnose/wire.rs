//! The first messages of PostgreSQL's protocol, spoken by hand: the driver does not tell how it went, nor how long each
//! part took.

use std::io::{self, Read, Write};

/// A connection of whatever kind.
pub(super) trait Stream: Read + Write {}
impl<T: Read + Write> Stream for T {}

/// What the server says about encryption.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Offer {
    /// It does it.
    Tls,
    /// It does not.
    Plain,
    /// That is no PostgreSQL server.
    Nonsense,
}

/// How a role proves who it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Method {
    /// `trust`, `peer`, a certificate: whatever the server looks at, it asks for nothing.
    Nothing,
    /// The password as it is.
    Cleartext,
    /// MD5.
    Md5,
    /// SASL with the named mechanisms, the server's first choice first.
    Sasl(Vec<String>),
    /// Kerberos and the like.
    Other(u32),
    /// The server refuses at once; why is told by the driver.
    Refused,
}

impl Method {
    /// In words.
    pub(super) fn describe(&self) -> Option<String> {
        Some(match self {
            Self::Nothing => "no password asked for".to_owned(),
            Self::Cleartext => "password in clear text".to_owned(),
            Self::Md5 => "MD5 password".to_owned(),
            Self::Sasl(mechanisms) => mechanisms.last()?.clone(),
            Self::Other(number) => format!("method {number}"),
            Self::Refused => return None,
        })
    }
}

/// Asks for encryption.
pub(super) fn ask_for_tls(stream: &mut dyn Stream) -> io::Result<Offer> {
    stream.write_all(&8_u32.to_be_bytes())?;
    stream.write_all(&80_877_103_u32.to_be_bytes())?;
    stream.flush()?;
    let mut answer = [0];
    stream.read_exact(&mut answer)?;
    Ok(match answer[0] {
        b'S' => Offer::Tls,
        b'N' => Offer::Plain,
        _ => Offer::Nonsense,
    })
}

/// Introduces a role, with the parameters of its session, and reads what the server wants to see.
pub(super) fn ask_for_method(stream: &mut dyn Stream, words: &[(&str, &str)]) -> io::Result<Method> {
    let mut message = 196_608_u32.to_be_bytes().to_vec();
    for word in words.iter().flat_map(|(name, value)| [name, value]) {
        message.extend(word.as_bytes());
        message.push(0);
    }
    message.push(0);
    let length = u32::try_from(message.len() + 4).map_err(io::Error::other)?;
    stream.write_all(&length.to_be_bytes())?;
    stream.write_all(&message)?;
    stream.flush()?;
    let mut head = [0; 5];
    stream.read_exact(&mut head)?;
    let length = u32::from_be_bytes([head[1], head[2], head[3], head[4]]);
    match head[0] {
        b'E' => Ok(Method::Refused),
        // Authentication messages are short; anything else speaks another language.
        b'R' if (8..=65_536).contains(&length) => {
            let mut body = vec![0; length as usize - 4];
            stream.read_exact(&mut body)?;
            Ok(method(&body))
        }
        _ => Err(io::Error::new(
            io::ErrorKind::InvalidData,
            "what answers is no PostgreSQL server",
        )),
    }
}

fn method(body: &[u8]) -> Method {
    let code = body.first_chunk().map_or(u32::MAX, |code| u32::from_be_bytes(*code));
    match code {
        0 => Method::Nothing,
        3 => Method::Cleartext,
        5 => Method::Md5,
        10 => {
            let mut names: Vec<String> = body[4..]
                .split(|byte| *byte == 0)
                .filter(|name| !name.is_empty())
                .map(|name| String::from_utf8_lossy(name).into_owned())
                .collect();
            // SCRAM-SHA-256-PLUS stands before SCRAM-SHA-256; the shorter name says enough.
            names.sort_by_key(|name| std::cmp::Reverse(name.len()));
            Method::Sasl(names)
        }
        other => Method::Other(other),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    /// Something that answers with fixed bytes.
    struct Answers(&'static [u8], Vec<u8>);

    impl Read for Answers {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            self.0.read(buffer)
        }
    }

    impl Write for Answers {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.1.write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn the_answers_of_a_server_are_understood() {
        let ask = |bytes| ask_for_method(&mut Answers(bytes, Vec::new()), &[("user", "u")]);
        assert_eq!(ask(b"R\0\0\0\x08\0\0\0\0").unwrap(), Method::Nothing);
        assert_eq!(ask(b"R\0\0\0\x0c\0\0\0\x05salt").unwrap(), Method::Md5);
        let sasl = ask(b"R\0\0\0\x2b\0\0\0\x0aSCRAM-SHA-256-PLUS\0SCRAM-SHA-256\0\0\0").unwrap();
        assert_eq!(sasl.describe().as_deref(), Some("SCRAM-SHA-256"));
        assert_eq!(ask(b"E\0\0\0\x08....").unwrap(), Method::Refused);
        assert!(ask(b"HTTP/1.1 400 Bad Request").is_err());
        assert!(
            ask(b"R\xff\xff\xff\xff\0\0\0\0").is_err(),
            "a length that no such message has"
        );
        assert!(ask(b"R\0\0").is_err());
    }

    #[test]
    fn the_request_is_what_the_protocol_wants() {
        let mut server = Answers(b"S", Vec::new());
        assert_eq!(ask_for_tls(&mut server).unwrap(), Offer::Tls);
        assert_eq!(server.1, b"\0\0\0\x08\x04\xd2\x16\x2f");
        let mut server = Answers(b"R\0\0\0\x08\0\0\0\0", Vec::new());
        ask_for_method(&mut server, &[("user", "me"), ("database", "db")]).unwrap();
        assert_eq!(server.1, b"\0\0\0\x1d\0\x03\0\0user\0me\0database\0db\0\0");
    }
}
