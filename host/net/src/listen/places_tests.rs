use super::*;

fn places(connections: usize, per_address: usize) -> (Arc<Places>, ListenerFigures) {
    let (figures, descriptors) = (ListenerFigures::default(), Arc::new(Descriptors::of(20_000)));
    (Places::of("here", ConnectionLimits { connections, per_address }, &descriptors, figures.clone()), figures)
}

fn address(text: &str) -> Origin {
    Origin::of(Some(text.parse().unwrap()), false)
}

#[tokio::test]
async fn who_waited_longest_leaves_and_who_is_served_stays() {
    let (places, figures) = places(3, 9);
    let mut clients = Vec::new();
    for _ in 0..3 {
        clients.push(Arc::new(places.admit(Origin::Known).await.unwrap()));
    }
    let served = clients[0].serve().unwrap();
    let fourth = Arc::new(places.admit(Origin::Known).await.unwrap());
    assert_eq!(clients.iter().map(|place| place.is_displaced()).collect::<Vec<_>>(), [false, true, false]);
    assert!(clients[1].serve().is_none(), "it has to leave, whatever comes from it now");
    let others = [clients[2].serve().unwrap(), fourth.serve().unwrap()];
    assert_eq!(places.admit(Origin::Known).await.unwrap_err(), CloseReason::Full);
    drop(others);
    drop(served);
    let _fifth = places.admit(Origin::Known).await.unwrap();
    assert!(clients[2].is_displaced() && !clients[0].is_displaced(), "who was served a moment ago has waited least");
    assert_eq!((figures.refused("here", CloseReason::Displaced), figures.refused("here", CloseReason::Full)), (2, 1));
}

#[tokio::test]
async fn an_address_has_its_own_limit_and_those_known_have_none() {
    let (places, figures) = places(100, 2);
    let one = [places.admit(address("10.0.0.1")).await.unwrap(), places.admit(address("10.0.0.1")).await.unwrap()]
        .map(Arc::new);
    let served: Vec<ServedClient> = one.iter().filter_map(ClientPlace::serve).collect();
    assert_eq!(places.admit(address("::ffff:10.0.0.1")).await.unwrap_err(), CloseReason::Address);
    let _other = places.admit(address("10.0.0.2")).await.unwrap();
    drop(served);
    let _third = places.admit(address("10.0.0.1")).await.unwrap();
    assert!(one[0].is_displaced() && !one[1].is_displaced(), "its own oldest leaves, no other's");
    assert_eq!(figures.refused("here", CloseReason::Address), 1);

    let near =
        [places.admit(address("2001:db8::1")).await.unwrap(), places.admit(address("2001:db8::ffff:2")).await.unwrap()];
    let near = near.map(Arc::new);
    let _served: Vec<ServedClient> = near.iter().filter_map(ClientPlace::serve).collect();
    assert_eq!(
        places.admit(address("2001:db8:0:0:7::")).await.unwrap_err(),
        CloseReason::Address,
        "a network of 64 bits is one"
    );
    assert!(places.admit(address("2001:db8:0:1::1")).await.is_ok());

    let mut known = Vec::new();
    for _ in 0..10 {
        known.push(places.admit(Origin::of(Some("127.0.0.1".parse().unwrap()), false)).await.unwrap());
        known.push(places.admit(Origin::of(Some("10.0.0.1".parse().unwrap()), true)).await.unwrap());
        known.push(places.admit(Origin::of(None, false)).await.unwrap());
    }
}

#[tokio::test]
async fn a_panic_gives_its_place_back() {
    let (places, _) = places(1, 9);
    let place = Arc::new(places.admit(Origin::Known).await.unwrap());
    let session = tokio::spawn(async move {
        let _served = place.serve();
        panic!("on purpose");
    });
    assert!(session.await.unwrap_err().is_panic());
    let place = Arc::new(places.admit(Origin::Known).await.unwrap());
    assert!(place.serve().is_some());
}

#[tokio::test]
async fn nobody_comes_in_while_many_that_have_to_leave_are_there() {
    let (places, _) = places(LEAVING, 9);
    let mut first = Vec::new();
    for _ in 0..LEAVING {
        first.push(places.admit(Origin::Known).await.unwrap());
    }
    let mut others = Vec::new();
    for _ in 0..LEAVING {
        others.push(places.admit(Origin::Known).await.unwrap());
    }
    let coming = places.admit(Origin::Known);
    tokio::pin!(coming);
    assert!(futures_util::poll!(&mut coming).is_pending());
    first.pop();
    assert!(coming.await.is_ok());
}

#[tokio::test]
async fn all_listeners_together_leave_the_descriptors_that_are_kept_back() {
    let descriptors = Arc::new(Descriptors::of(8));
    let most = ConnectionLimits::default();
    let first = Places::of("first", most, &descriptors, ListenerFigures::default());
    let mut taken = Vec::new();
    for _ in 0..4 {
        taken.push(Arc::new(first.admit(Origin::Known).await.unwrap()));
    }
    let served: Vec<ServedClient> = taken.iter().filter_map(ClientPlace::serve).collect();
    let second = Places::of("second", most, &descriptors, ListenerFigures::default());
    assert_eq!(second.admit(Origin::Known).await.unwrap_err(), CloseReason::Full);
    taken.truncate(1);
    // Those that are served keep their place themselves.
    drop(served);
    assert!(second.admit(Origin::Known).await.is_ok());
}

/// A client that is being served and brings a message.
struct Delivering {
    place: Arc<ClientPlace>,
    bringing: IncomingMessage,
    _served: ServedClient,
}

impl Delivering {
    /// So many bytes came within so long.
    fn came(&self, bytes: u64, within: Duration) {
        self.bringing.came(bytes);
        self.place.pace.took(within);
    }
}

async fn delivering(places: &Arc<Places>, from: Origin) -> Delivering {
    let place = Arc::new(places.admit(from).await.unwrap());
    let (served, bringing) = (place.serve().unwrap(), place.bring());
    Delivering { place, bringing, _served: served }
}

fn displaced(clients: &[Delivering]) -> Vec<bool> {
    clients.iter().map(|client| client.place.is_displaced()).collect()
}

const LONG: Duration = Duration::from_mins(10);

#[tokio::test]
async fn where_all_bring_messages_the_slowest_of_the_address_with_most_places_leaves() {
    let (places, figures) = places(5, 9);
    let mut clients = Vec::new();
    for from in ["10.0.0.1", "10.0.0.1", "10.0.0.1", "10.0.0.2", "10.0.0.3"] {
        clients.push(delivering(&places, address(from)).await);
    }
    let full = || async { places.admit(address("10.0.0.9")).await.unwrap_err() };
    assert_eq!(full().await, CloseReason::Full, "all have just begun");
    for (client, bytes) in clients.iter().zip([2 << 20, 1 << 20, 64 << 20, 1, 1]) {
        client.came(bytes, LONG);
    }
    clients[2].came(0, SLOW.after / 2);
    let _coming = places.admit(address("10.0.0.9")).await.unwrap();
    assert_eq!(
        displaced(&clients),
        [false, true, false, false, false],
        "not the slowest of all, nor one that has just begun"
    );
    assert_eq!((figures.refused("here", CloseReason::Slow), figures.refused("here", CloseReason::Displaced)), (1, 0));
}

#[tokio::test]
async fn who_has_more_places_than_others_gets_none_of_theirs() {
    let (places, _) = places(3, 9);
    let mut clients = Vec::new();
    for from in ["10.0.0.1", "10.0.0.1", "10.0.0.2"] {
        clients.push(delivering(&places, address(from)).await);
    }
    clients[2].came(1, LONG);
    assert_eq!(places.admit(address("10.0.0.1")).await.unwrap_err(), CloseReason::Full);
    clients[0].came(1, LONG);
    let _own = places.admit(address("10.0.0.1")).await.unwrap();
    assert_eq!(displaced(&clients), [true, false, false], "its own slow one leaves for it");
}

#[tokio::test]
async fn those_who_are_known_and_those_who_bring_enough_leave_for_nobody() {
    let (places, _) = places(3, 9);
    let clients = [delivering(&places, Origin::Known).await, delivering(&places, address("10.0.0.1")).await];
    clients[0].came(1, LONG);
    clients[1].came(SLOW.bytes_a_second * LONG.as_secs() + (1 << 20), LONG);
    let storing = delivering(&places, address("10.0.0.1")).await;
    storing.came(1, LONG);
    let Delivering { place, bringing, _served } = storing;
    drop(bringing);
    for coming in [Origin::Known, address("10.0.0.9")] {
        assert_eq!(
            places.admit(coming).await.unwrap_err(),
            CloseReason::Full,
            "one whose message is being stored is not slow either"
        );
    }
    let _next = place.bring();
    assert!(places.admit(Origin::Known).await.is_ok(), "small messages one after the other are one long one");
    assert!(place.is_displaced() && displaced(&clients) == [false, false]);
}

#[tokio::test]
async fn who_waits_between_messages_begins_anew() {
    let (places, _) = places(1, 9);
    let slow = delivering(&places, address("10.0.0.1")).await;
    slow.came(1, LONG);
    let place = Arc::clone(&slow.place);
    drop(slow);
    let (_served, _bringing) = (place.serve(), place.bring());
    assert_eq!(places.admit(Origin::Known).await.unwrap_err(), CloseReason::Full);
}
