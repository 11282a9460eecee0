//! A web server that takes whatever is posted to it: `webhook-receiver FILE` listens on a free port of 127.0.0.1, prints
//! its URL, and appends each body to FILE as one line. It ends when its standard input does.
//!
//! With `--headers` a line is a JSON object with the fields `headers` and `body`, both text. With `--status NUMBER` every
//! answer has that status.

use std::fmt::Write as _;
use std::fs::OpenOptions;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};

/// What the command line says.
struct Options {
    file: String,
    headers: bool,
    status: u16,
}

/// A request, as far as anybody wants to know it.
struct Request {
    /// Names in lower case.
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

fn main() -> io::Result<()> {
    let Some(options) = options() else {
        eprintln!("usage: webhook-receiver [--headers] [--status NUMBER] FILE");
        std::process::exit(2);
    };
    let listener = TcpListener::bind("127.0.0.1:0")?;
    println!("http://{}/", listener.local_addr()?);
    io::stdout().flush()?;
    std::thread::spawn(|| {
        let _ = io::copy(&mut io::stdin(), &mut io::sink());
        std::process::exit(0);
    });
    for stream in listener.incoming() {
        // A client that goes away in the middle is its own affair.
        let _ = stream.and_then(|stream| serve(&stream, &options));
    }
    Ok(())
}

fn options() -> Option<Options> {
    let (mut file, mut headers, mut status) = (None, false, 204);
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--headers" => headers = true,
            "--status" => status = arguments.next()?.parse().ok()?,
            _ => file = Some(argument),
        }
    }
    Some(Options {
        file: file?,
        headers,
        status,
    })
}

/// Reads a request, records it, and only then answers: who has the answer can read the file.
fn serve(mut stream: &TcpStream, options: &Options) -> io::Result<()> {
    let request = read(stream)?;
    let line = if options.headers {
        request.document().into_bytes()
    } else {
        request.body
    };
    let mut out = OpenOptions::new().create(true).append(true).open(&options.file)?;
    out.write_all(&[line, vec![b'\n']].concat())?;
    let answer = format!(
        "HTTP/1.1 {} Noted\r\ncontent-length: 0\r\nconnection: close\r\n\r\n",
        options.status
    );
    stream.write_all(answer.as_bytes())
}

fn read(stream: &TcpStream) -> io::Result<Request> {
    let mut reader = BufReader::new(stream);
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        if line.trim_end().is_empty() {
            break;
        }
        if let Some((name, value)) = line.split_once(':') {
            headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
    }
    let length = headers.iter().find(|(name, _)| name == "content-length");
    let length: u64 = length.and_then(|(_, value)| value.parse().ok()).unwrap_or(0);
    // What a test posts fits in memory; a length that does not is a mistake of the sender.
    let mut body = Vec::new();
    reader.take(length.min(16 << 20)).read_to_end(&mut body)?;
    Ok(Request { headers, body })
}

impl Request {
    fn document(&self) -> String {
        let headers: Vec<String> = self
            .headers
            .iter()
            .map(|(name, value)| format!("{}:{}", json(name), json(value)))
            .collect();
        let body = json(&String::from_utf8_lossy(&self.body));
        format!("{{\"headers\":{{{}}},\"body\":{body}}}", headers.join(","))
    }
}

/// A text as JSON writes it.
fn json(text: &str) -> String {
    let mut out = String::from("\"");
    for character in text.chars() {
        match character {
            '"' | '\\' => out.extend(['\\', character]),
            character if character.is_control() => {
                let _ = write!(out, "\\u{:04x}", u32::from(character));
            }
            character => out.push(character),
        }
    }
    out + "\""
}
