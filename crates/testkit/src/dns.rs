//! A name server of one test: answers TXT questions from a table, and that there is no such name for
//! everything else.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use hickory_proto::op::{Message, MessageType, ResponseCode};
use hickory_proto::rr::rdata::TXT;
use hickory_proto::rr::{RData, Record};
use tokio::net::UdpSocket;

/// What names have for texts.
pub type Texts = Arc<Mutex<HashMap<String, Vec<String>>>>;

/// Starts one on loopback; it lasts as long as the runtime of the test.
pub async fn start(texts: Texts) -> SocketAddr {
    let socket = UdpSocket::bind(("127.0.0.1", 0)).await.expect("a loopback port for the name server");
    let address = socket.local_addr().expect("a bound socket has an address");
    tokio::spawn(async move {
        let mut buffer = [0; 4096];
        while let Ok((length, from)) = socket.recv_from(&mut buffer).await {
            let Ok(question) = Message::from_vec(&buffer[..length]) else { continue };
            if let Ok(bytes) = answer(&question, &texts).to_vec() {
                let _ = socket.send_to(&bytes, from).await;
            }
        }
    });
    address
}

fn answer(question: &Message, texts: &Texts) -> Message {
    let mut answer = question.clone();
    answer.metadata.message_type = MessageType::Response;
    answer.metadata.response_code = ResponseCode::NXDomain;
    for query in &question.queries {
        let name = query.name().to_ascii().trim_end_matches('.').to_owned();
        let found = texts.lock().unwrap_or_else(PoisonError::into_inner).get(&name).cloned();
        for text in found.unwrap_or_default() {
            let record = Record::from_rdata(query.name().clone(), 60, RData::TXT(TXT::new(vec![text])));
            answer.add_answer(record);
            answer.metadata.response_code = ResponseCode::NoError;
        }
    }
    answer
}
