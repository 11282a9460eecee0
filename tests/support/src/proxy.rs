//! A line to a server that can be cut, in the middle or at one end, and stalled.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use crate::SupportError;

/// Listens on a port of its own and passes everything on to a port of this machine, until it is told otherwise.
#[derive(Debug)]
pub struct Proxy {
    port: u16,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    lines: Vec<Arc<Line>>,
    refusing: bool,
    stalled: bool,
    over: bool,
}

/// One connection: the client's part of it and the server's.
#[derive(Debug)]
struct Line {
    client: TcpStream,
    server: TcpStream,
    /// The client's part is gone; the server does not know.
    half: AtomicBool,
}

impl Proxy {
    /// Begins to listen.
    ///
    /// # Errors
    /// When there is no free port.
    pub fn start(server: u16) -> Result<Self, SupportError> {
        let failed = |error: std::io::Error| SupportError::io("cannot listen on a port", &error);
        let listener = TcpListener::bind(("127.0.0.1", 0)).map_err(failed)?;
        let port = listener.local_addr().map_err(failed)?.port();
        let shared = Arc::new(Shared::default());
        let theirs = Arc::clone(&shared);
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let state = theirs.state();
                if state.over {
                    return;
                }
                // A connection that is dropped here is closed before a word was said.
                if !state.refusing {
                    drop(state);
                    let _ = theirs.join(client, SocketAddr::from(([127, 0, 0, 1], server)));
                }
            }
        });
        Ok(Self { port, shared })
    }

    /// Where it listens on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// `url` with this port in the place of the server's.
    ///
    /// # Panics
    /// When the URL names no port.
    #[expect(clippy::expect_used, reason = "URLs of throwaway servers have ports")]
    pub fn url(&self, url: &str) -> String {
        let host = url.find("127.0.0.1:").expect("the server's address is in its URL") + "127.0.0.1:".len();
        let end = url[host..].find('/').map_or(url.len(), |at| host + at);
        format!("{}{}{}", &url[..host], self.port, &url[end..])
    }

    /// Cuts every connection: both ends learn of it at once.
    pub fn cut(&self) {
        for line in self.shared.state().lines.drain(..) {
            line.close();
        }
    }

    /// Cuts every connection at the client's end. The server hears nothing of it for a while: it works on, and waits for
    /// its client.
    pub fn cut_clients(&self, for_a_while: Duration) {
        let lines: Vec<_> = self.shared.state().lines.drain(..).collect();
        for line in &lines {
            line.half.store(true, Ordering::SeqCst);
            let _ = line.client.shutdown(Shutdown::Both);
        }
        thread::spawn(move || {
            thread::sleep(for_a_while);
            for line in lines {
                line.close();
            }
        });
    }

    /// Cuts one of the connections and leaves the others: the `choice`th, counted round and round.
    pub fn cut_one(&self, choice: usize) {
        let mut state = self.shared.state();
        if !state.lines.is_empty() {
            let at = choice % state.lines.len();
            state.lines.remove(at).close();
        }
    }

    /// Cuts the one connection that the server sees coming from this port. Says whether there is one.
    pub fn cut_port(&self, client_port: u16) -> bool {
        let state = self.shared.state();
        let line = state.lines.iter().find(|line| {
            line.server
                .local_addr()
                .is_ok_and(|address| address.port() == client_port)
        });
        if let Some(line) = line {
            line.close();
        }
        line.is_some()
    }

    /// From now on nothing gets through in either direction, and nobody is told; or everything gets through again.
    pub fn stall(&self, stalled: bool) {
        self.shared.state().stalled = stalled;
        self.shared.changed.notify_all();
    }

    /// From now on new connections are closed at once, or let through again.
    pub fn refuse(&self, refusing: bool) {
        self.shared.state().refusing = refusing;
    }

    /// How many connections there are.
    pub fn connections(&self) -> usize {
        self.shared.state().lines.len()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.state().over = true;
        self.stall(false);
        self.cut();
        // The thread that accepts connections waits for one.
        let _ = TcpStream::connect(("127.0.0.1", self.port));
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Connects to the server and passes on what comes, each direction in a thread of its own.
    fn join(self: &Arc<Self>, client: TcpStream, server: SocketAddr) -> std::io::Result<()> {
        let server = TcpStream::connect(server)?;
        client.set_nodelay(true)?;
        server.set_nodelay(true)?;
        let line = Arc::new(Line {
            half: AtomicBool::new(false),
            client: client.try_clone()?,
            server: server.try_clone()?,
        });
        self.state().lines.push(Arc::clone(&line));
        let (up, down) = (Passage::of(self, &line), Passage::of(self, &line));
        let (from_client, to_server) = (client.try_clone()?, server.try_clone()?);
        thread::spawn(move || up.pass(from_client, to_server, true));
        thread::spawn(move || down.pass(server, client, false));
        Ok(())
    }
}

/// One direction of a connection.
struct Passage {
    shared: Arc<Shared>,
    line: Arc<Line>,
}

impl Passage {
    fn of(shared: &Arc<Shared>, line: &Arc<Line>) -> Self {
        Self {
            shared: Arc::clone(shared),
            line: Arc::clone(line),
        }
    }

    fn pass(&self, mut from: TcpStream, mut to: TcpStream, up: bool) {
        let mut buffer = [0; 16 * 1024];
        while let Ok(length @ 1..) = from.read(&mut buffer) {
            self.wait_until_open();
            if to.write_all(&buffer[..length]).is_err() && !self.is_half() {
                break;
            }
        }
        // What the client's end says after it was cut is not what the server is to hear.
        if up && self.is_half() {
            return;
        }
        self.line.close();
        self.shared.state().lines.retain(|line| !Arc::ptr_eq(line, &self.line));
    }

    fn is_half(&self) -> bool {
        self.line.half.load(Ordering::SeqCst)
    }

    fn wait_until_open(&self) {
        let mut state = self.shared.state();
        while state.stalled && !state.over {
            state = self.shared.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl Line {
    fn close(&self) {
        let _ = self.client.shutdown(Shutdown::Both);
        let _ = self.server.shutdown(Shutdown::Both);
    }
}
