//! The daemon's front: REST is served at its address, again where that breaks.

use super::{ApiState, Doors, serve};
use crate::daemon::Front;
use postigo_net::listen::{Acceptance, Places};
use postigo_supervision::{SupervisedTask, WorkKind};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;

/// The longest pause before it is served again.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// Serves REST until the front ends.
pub async fn keep_serving(front: Front) {
    let Front { listener, address, spool, key, tokens, live, metrics, machine, clients, descriptors, namesake, ends } =
        front;
    let figures = metrics.listeners().clone();
    let places = Places::of("rest", clients.most, &descriptors, figures.clone());
    let head = clients.head;
    let doors =
        move || Doors { places: Arc::clone(&places), acceptance: Acceptance::of("rest", figures.clone()), head };
    let state = ApiState::new(spool, key, tokens, live, metrics, machine).named(clients.hosts).beside(namesake);
    let mut bound = Some(listener);
    let supervised = SupervisedTask::new(WorkKind::Rest, "", ends.clone()).resting_at_most(LONGEST_PAUSE);
    let round = || {
        let (bound, state, doors, ends) = (bound.take(), state.clone(), doors(), ends.clone());
        async move {
            let listener = match bound {
                Some(listener) => Ok(listener),
                None => TcpListener::bind(address).await,
            };
            let served = match listener {
                Ok(listener) => serve(listener, state, doors, ends).await,
                Err(error) => Err(error),
            };
            if let Err(error) = served {
                tracing::error!(%error, "REST is not served");
            }
        }
    };
    supervised.keep(round).await;
}
