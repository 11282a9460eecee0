//! From a host's name to an open connection, each step within the time that the URL gives.
//!
//! The driver's own limit ends once the network is through: a server that takes the connection and then says nothing would
//! be waited for without end.

use std::io;
use std::time::Duration;

use tokio_postgres::config::Host;
use tokio_postgres::tls::MakeTlsConnect;
use tokio_postgres::{Client, Config, Connection, Socket};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::postgres::client::OpenError;

/// What the driver gives.
pub(crate) type Open = (
    Client,
    Connection<Socket, <MakeRustlsConnect as MakeTlsConnect<Socket>>::Stream>,
);

/// Tries the addresses of the host one after the other.
pub(crate) async fn connect(config: &Config, tls: &MakeRustlsConnect) -> Result<Open, OpenError> {
    let limit = config.get_connect_timeout().copied();
    let [Host::Tcp(host)] = config.get_hosts() else {
        return attempt(config, tls, limit).await;
    };
    let port = config.get_ports().first().copied().unwrap_or(5432);
    let addresses = within(limit, tokio::net::lookup_host((host.as_str(), port))).await?;
    let addresses = addresses.map_err(OpenError::UnknownHost)?;
    let mut refused = None;
    for address in addresses {
        let mut config = config.clone();
        config.hostaddr(address.ip());
        match attempt(&config, tls, limit).await {
            Ok(open) => return Ok(open),
            // The server itself has spoken.
            Err(OpenError::Refused(error)) if error.as_db_error().is_some() => return Err(error.into()),
            Err(error) => {
                // That nothing listens at one of them says less than what happened at another.
                if refused.is_none() || !nothing_listens(&error) {
                    refused = Some(error);
                }
            }
        }
    }
    Err(refused.unwrap_or_else(|| OpenError::UnknownHost(io::Error::other("it has no address"))))
}

async fn attempt(config: &Config, tls: &MakeRustlsConnect, limit: Option<Duration>) -> Result<Open, OpenError> {
    Ok(within(limit, config.connect(tls.clone())).await??)
}

async fn within<T>(limit: Option<Duration>, work: impl Future<Output = T>) -> Result<T, OpenError> {
    match limit {
        Some(limit) => tokio::time::timeout(limit, work)
            .await
            .map_err(|_| OpenError::Silent(limit)),
        None => Ok(work.await),
    }
}

fn nothing_listens(error: &OpenError) -> bool {
    let OpenError::Refused(error) = error else {
        return false;
    };
    let source = std::error::Error::source(error).and_then(|source| source.downcast_ref::<io::Error>());
    source.is_some_and(|error| error.kind() == io::ErrorKind::ConnectionRefused)
}
