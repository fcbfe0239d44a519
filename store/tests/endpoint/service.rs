//! One endpoint for all tests of this binary: the engine has one data folder a process.

use std::path::PathBuf;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;
use windvane_store::chdb::{Engine, EngineOptions, Library};
use windvane_store::endpoint::{Access, Endpoint, Options};

/// A running endpoint.
pub struct Service {
    pub url: String,
    pub access: Access,
    pub data_dir: PathBuf,
    _folder: tempfile::TempDir,
}

/// Who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum User {
    Writer,
    Reader,
}

/// The endpoint of this process, started on first use.
pub fn service() -> &'static Service {
    static SERVICE: OnceLock<Service> = OnceLock::new();
    SERVICE.get_or_init(|| {
        let library = Library::open(&windvane_kit::libchdb()).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let engine = Engine::open(library, &EngineOptions::new(folder.path())).unwrap();
        let (sender, receiver) = std::sync::mpsc::sync_channel(1);
        std::thread::spawn(move || {
            let runtime =
                tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
            runtime.block_on(async move {
                let options = Options {
                    reader_databases: vec!["opened".to_owned()],
                    reads_max: 4,
                    writes_max: 4,
                    admission_wait: Duration::from_millis(200),
                    ..Options::default()
                };
                let endpoint = Endpoint::bind(engine, "127.0.0.1:0".parse().unwrap(), options).await.unwrap();
                sender.send((endpoint.address(), endpoint.access().clone())).unwrap();
                endpoint.serve(CancellationToken::new(), CancellationToken::new()).await;
            });
        });
        let (address, access) = receiver.recv().unwrap();
        Service {
            url: format!("http://{address}/"),
            access,
            data_dir: folder.path().to_owned(),
            _folder: folder,
        }
    })
}

/// What came back.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: reqwest::header::HeaderMap,
    pub body: Vec<u8>,
    /// The transfer broke off.
    pub cut: bool,
}

impl Answer {
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// ClickHouse's exception code; 0 for success.
    pub fn code(&self) -> i32 {
        self.header("X-ClickHouse-Exception-Code").map_or(0, |code| code.parse().unwrap())
    }
}

impl Service {
    /// A request of this user; the caller adds the rest.
    pub fn request(&self, user: User, parameters: &[(&str, &str)]) -> reqwest::RequestBuilder {
        let (name, password) = match user {
            User::Writer => (&self.access.user, &self.access.password),
            User::Reader => (&self.access.reader_user, &self.access.reader_password),
        };
        let url = reqwest::Url::parse_with_params(&self.url, parameters).unwrap();
        reqwest::Client::new().post(url).basic_auth(name, Some(password))
    }

    /// Runs a statement in the body of a POST.
    pub async fn run(&self, user: User, sql: &str) -> Answer {
        finish(self.request(user, &[]).body(sql.to_owned())).await
    }

    /// Runs a statement that must succeed, and gives its text.
    pub async fn text(&self, sql: &str) -> String {
        let answer = self.run(User::Writer, sql).await;
        assert_eq!(answer.status, 200, "{sql}: {}", answer.text());
        answer.text()
    }
}

/// Sends a request and reads its answer to the end.
pub async fn finish(request: reqwest::RequestBuilder) -> Answer {
    let mut response = request.send().await.unwrap();
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    let mut body = Vec::new();
    let cut = loop {
        match response.chunk().await {
            Ok(Some(chunk)) => body.extend_from_slice(&chunk),
            Ok(None) => break false,
            Err(_) => break true,
        }
    };
    Answer { status, headers, body, cut }
}

/// Asks until the answer is the one expected, for at most ten seconds.
pub async fn until(sql: &str, expected: &str) {
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        let text = service().text(sql).await;
        if text.trim() == expected {
            return;
        }
        assert!(Instant::now() < deadline, "{sql} is still {text}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
