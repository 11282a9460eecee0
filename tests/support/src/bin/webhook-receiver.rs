//! A web server that takes whatever is posted to it: `webhook-receiver FILE` listens on a free port of 127.0.0.1, prints
//! its URL, and appends each body to FILE as one line. It ends when its standard input does.

use std::fs::OpenOptions;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};

fn main() -> io::Result<()> {
    let Some(file) = std::env::args().nth(1) else {
        eprintln!("usage: webhook-receiver FILE");
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
        let body = answer(stream?)?;
        let mut out = OpenOptions::new().create(true).append(true).open(&file)?;
        out.write_all(&body)?;
        out.write_all(b"\n")?;
    }
    Ok(())
}

/// Reads one request and says that all is well.
fn answer(stream: TcpStream) -> io::Result<Vec<u8>> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut length = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        if line.trim_end().is_empty() {
            break;
        }
        if let Some((name, value)) = line.split_once(':') {
            if name.eq_ignore_ascii_case("content-length") {
                length = value.trim().parse().unwrap_or(0);
            }
        }
    }
    // What a test posts fits in memory; a length that does not is a mistake of the sender.
    let mut body = Vec::new();
    reader.take(length.min(16 << 20)).read_to_end(&mut body)?;
    let mut stream = stream;
    stream.write_all(b"HTTP/1.1 204 No Content\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")?;
    Ok(body)
}
