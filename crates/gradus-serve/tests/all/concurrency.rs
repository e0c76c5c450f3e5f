//! Many clients at once.

use serde_json::json;

use crate::support::{Server, picture_package, pixels};

#[test]
fn every_client_gets_its_own_answer() {
    const CLIENTS: usize = 12;
    const REQUESTS: usize = 25;
    let server = Server::of(&picture_package());
    std::thread::scope(|scope| {
        for client in 0..CLIENTS {
            let server = &server;
            scope.spawn(move || {
                for request in 0..REQUESTS {
                    let samples: Vec<_> = (0..1 + client % 3)
                        .map(|n| json!(pixels(client * 31 + request + n)))
                        .collect();
                    let got = server.rows("/predict", &json!({"input_data": samples}), "output_data");
                    assert_eq!(got, server.expected(&samples));
                }
            });
        }
    });
    let text = server.get("/metrics").text;
    let total = format!(
        r#"gradus_requests_total{{code="200",route="/predict"}} {}"#,
        CLIENTS * REQUESTS
    );
    assert!(text.contains(&total), "{text}");
    assert!(
        text.contains("gradus_requests_in_flight 1\n"),
        "only this request is under way: {text}"
    );
}
