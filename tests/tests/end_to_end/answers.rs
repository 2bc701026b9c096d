//! Automatic answers, agents' mail and delivery reports, from the mail that comes in to the files that go out.

use postigo_tests::gate::{Daemon, Gate, PATIENCE, http_client, until};
use serde_json::{Value, json};
use std::path::Path;
use std::time::UNIX_EPOCH;

/// A gate that answers for the queue Raw and sends into a folder.
fn gate(out: &Path) -> Gate {
    let gate = Gate::new();
    gate.configure(&format!(
        "[[system_address]]\naddress = \"help@desk.test\"\ndisplay_name = \"Desk\"\nqueue = \"Raw\"\n\n\
         [[auto_response]]\nname = \"Receipt\"\nqueue = \"Raw\"\nsubject = \"We have it\"\nbody = \"Dear <OTOBO_CUSTOMER_REALNAME>\"\n\n\
         [[auto_response]]\nname = \"Gone\"\ntype = \"remove\"\nqueue = \"Raw\"\nsubject = \"Removed\"\nbody = \"Bye\"\n\n\
         [[transport]]\nname = \"files\"\nkind = \"file\"\nhost = \"{}\"\n",
        out.display()
    ));
    gate
}

/// A daemon that may write into the folder.
fn serve(gate: &Gate, out: &Path) -> Daemon {
    gate.serve_with("postigo=info", &["--allow-folder", &format!("out={}", out.display())])
}

/// Takes a mail in; gives its result.
fn ingest(gate: &Gate, mail: &str) -> Value {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), mail.replace('\n', "\r\n")).unwrap();
    gate.json(&["ingest", &file.path().display().to_string()]).remove(0)
}

/// The mails in the folder with this text in them.
fn sent(out: &Path, text: &str) -> Vec<String> {
    let files = std::fs::read_dir(out).unwrap().map(|entry| entry.unwrap().path());
    let mails = files.filter(|path| path.extension().is_some_and(|extension| extension == "eml"));
    mails
        .map(|path| String::from_utf8_lossy(&std::fs::read(path).unwrap()).into_owned())
        .filter(|mail| mail.contains(text))
        .collect()
}

fn await_sent(out: &Path, text: &str) -> String {
    until(&format!("a mail with {text:?} goes out"), PATIENCE, || !sent(out, text).is_empty());
    sent(out, text).remove(0)
}

#[test]
fn a_mail_is_answered_once_and_the_answer_is_an_article_of_its_ticket() {
    let out = tempfile::tempdir().unwrap();
    let gate = gate(out.path());
    let daemon = serve(&gate, out.path());
    let result = ingest(&gate, "From: Jane <jane@x.test>\nMessage-ID: <one@x.test>\nSubject: Printer\n\nhello\n");
    assert_eq!(result["auto_response"], "queued");
    let number = result["ticket_number"].as_str().unwrap();
    let answer = await_sent(out.path(), "We have it");
    for line in [
        "From: Desk <help@desk.test>",
        "To: jane@x.test",
        "In-Reply-To: <one@x.test>",
        "Auto-Submitted: auto-replied",
        "Dear Jane",
    ] {
        assert!(answer.lines().any(|found| found == line || found.ends_with(line)), "{line:?} is not in {answer}");
    }
    assert!(answer.contains(&format!("Subject: [Ticket#{number}] We have it")), "{answer}");
    let show = || gate.json(&["ticket", "show", number]).remove(0);
    until("the answer is marked as sent", PATIENCE, || show()["articles"][1]["delivery"]["status"] == "sent");
    let article = show()["articles"][1].clone();
    assert_eq!((&article["sender_type"], &article["visible_for_customer"]), (&json!("system"), &json!(true)));
    let raw = gate.run(&["article", "show", &article["id"].to_string(), "--raw"]);
    assert_eq!(raw, answer, "the article's bytes are those that went out");

    for robot in ["Auto-Submitted: auto-replied", "List-Id: <l.x.test>", "Return-Path: <>", "Precedence: bulk"] {
        let result = ingest(
            &gate,
            &format!(
                "{robot}\nFrom: robot@x.test\nMessage-ID: <{}@x.test>\nSubject: away\n\nI am away.\n",
                robot.len()
            ),
        );
        assert_eq!(result["auto_response"], "suppressed", "{robot}");
        let told = gate.run(&["log", "show", result["communication"].as_str().unwrap()]);
        assert!(told.contains("No automatic answer (reply): ") && told.contains(&format!("({robot}).")), "{told}");
    }
    let told = gate.run(&["log", "show", result["communication"].as_str().unwrap()]);
    assert!(told.contains("automatic answer \"Receipt\" (reply) to jane@x.test: outgoing mail 1 is sent"), "{told}");
    let elsewhere = ingest(&gate, "From: jane@x.test\nTo: misc@x.test\nX-N: 1\nSubject: Elsewhere\n\nhello\n");
    let number = elsewhere["ticket_number"].as_str().unwrap();
    let reply = format!("From: jane@x.test\nSubject: Re: [Ticket#{number}] Elsewhere\n\nmore\n");
    let told = ingest(&gate, &reply);
    assert_eq!((&told["follow_up"], &told["auto_response"]), (&json!(true), &Value::Null));
    let told = gate.run(&["log", "show", told["communication"].as_str().unwrap()]);
    assert!(told.contains("No automatic answer (follow-up): the queue Raw has none of this type."), "{told}");
    let number = result["ticket_number"].as_str().unwrap();
    gate.run(&["ticket", "update", number, "--state", "removed"]);
    await_sent(out.path(), "Subject: [Ticket#");
    let farewell = await_sent(out.path(), "] Removed");
    assert!(farewell.contains("To: jane@x.test"), "{farewell}");
    drop(daemon);
}

#[test]
fn an_agent_replies_and_a_delivery_report_marks_the_recipient() {
    let out = tempfile::tempdir().unwrap();
    let gate = gate(out.path());
    let daemon = serve(&gate, out.path());
    let result =
        ingest(&gate, "From: jane@x.test\nMessage-ID: <one@x.test>\nPrecedence: bulk\nSubject: Printer\n\nhello\n");
    let number = result["ticket_number"].as_str().unwrap();
    let token = gate.json(&["token", "create", "--role", "agent"])[0]["token"].as_str().unwrap().to_owned();
    let url = format!("{}/api/v1/tickets/{number}/articles", daemon.url);
    let body = json!({ "body": "Mended.", "cc": ["bob@x.test"] }).to_string();
    let client = http_client(PATIENCE);
    let ask = || {
        let request = client
            .post(&url)
            .bearer_auth(&token)
            .header("content-type", "application/json")
            .header("idempotency-key", "k");
        let answer = request.body(body.clone()).send().unwrap();
        assert_eq!(answer.status().as_u16(), 201);
        serde_json::from_str::<Value>(&answer.text().unwrap()).unwrap()
    };
    let receipt = ask();
    assert_eq!(ask(), receipt, "asked again it is not sent again");
    let mail = await_sent(out.path(), "Mended.");
    assert!(
        mail.contains(&format!("Subject: Re: [Ticket#{number}] Printer")) && mail.contains("References: <one@x.test>"),
        "{mail}"
    );
    let recipients =
        || gate.json(&["article", "show", &receipt["article_id"].to_string()])[0]["delivery"]["recipients"].clone();
    until("both recipients are sent to", PATIENCE, || {
        recipients()[0]["status"] == "sent" && recipients()[1]["status"] == "sent"
    });

    let id = receipt["message_id"].as_str().unwrap();
    let report = format!(
        "Return-Path: <>\nFrom: mailer-daemon@mx.test\nMessage-ID: <report@mx.test>\nSubject: Undelivered\n\
         Content-Type: multipart/report; report-type=delivery-status; boundary=d\n\n--d\n\nSorry.\n--d\nContent-Type: message/delivery-status\n\n\
         Reporting-MTA: dns; mx.test\n\nFinal-Recipient: rfc822; BOB@x.test\nAction: failed\nStatus: 5.1.1\nDiagnostic-Code: smtp; 550 no such user\n\n\
         Final-Recipient: rfc822; stranger@x.test\nAction: failed\nStatus: 5.1.1\n--d\nContent-Type: text/rfc822-headers\n\nMessage-ID: {id}\n\n--d--\n"
    );
    let filed = ingest(&gate, &report);
    assert_eq!((&filed["ticket_number"], &filed["why_follow_up"]), (&json!(number), &json!("bounce")));
    let after = recipients();
    assert_eq!((&after[0]["address"], &after[0]["status"]), (&json!("bob@x.test"), &json!("failed")));
    assert_eq!(after[0]["detail"], "Permanent failure (5.1.1): 550 no such user");
    assert_eq!(
        (&after[1]["address"], &after[1]["status"], after.as_array().unwrap().len()),
        (&json!("jane@x.test"), &json!("sent"), 2)
    );
    assert_eq!((&after[0]["failure"], &after[1]["failure"]), (&json!("hard"), &Value::Null));
    let ticket = gate.json(&["ticket", "show", number]).remove(0);
    let note = ticket["articles"]
        .as_array()
        .unwrap()
        .iter()
        .find(|article| article["subject"] == "A mail could not be delivered")
        .unwrap();
    assert_eq!(note["visible_for_customer"], false);
    assert_eq!(sent(out.path(), "Mended.").len(), 1);
    drop(daemon);
}

#[test]
fn the_command_line_writes_without_a_daemon_and_the_daemon_sends() {
    let out = tempfile::tempdir().unwrap();
    let gate = gate(out.path());
    let result =
        ingest(&gate, "From: jane@x.test\nMessage-ID: <one@x.test>\nPrecedence: bulk\nSubject: Printer\n\nhello\n");
    let (number, article) = (result["ticket_number"].as_str().unwrap(), result["article_id"].to_string());
    let body = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(body.path(), "By hand.\n").unwrap();
    let body = body.path().display().to_string();
    let refused = gate.try_run(["ticket", "reply", number, "--to", "nobody", "--body-file", &body]);
    assert!(!refused.status.success() && String::from_utf8_lossy(&refused.stderr).contains("--to: "), "{refused:?}");
    gate.json(&["ticket", "reply", number, "--body-file", &body, "--state", "closed successful"]);
    gate.json(&["ticket", "note", number, "--body-file", &body]);
    gate.json(&["article", "forward", &article, "--to", "expert@x.test", "--body-file", &body]);
    gate.json(&["article", "bounce", &article, "--to", "other@x.test"]);
    let ticket = gate.json(&["ticket", "show", number]).remove(0);
    assert_eq!((&ticket["state"], ticket["articles"].as_array().unwrap().len()), (&json!("closed successful"), 5));
    let daemon = serve(&gate, out.path());
    until("the three mails go out", PATIENCE, || sent(out.path(), "").len() == 3);
    assert!(await_sent(out.path(), "Resent-To: other@x.test").ends_with("Subject: Printer\r\n\r\nhello\r\n"));
    drop(daemon);
}

#[test]
fn a_ticket_is_opened_from_the_command_line_with_a_template_and_asked_again_it_is_not_opened_twice() {
    let out = tempfile::tempdir().unwrap();
    let gate = gate(out.path());
    let text = gate.folder().join("offer.txt");
    std::fs::write(&text, "An offer of <OTOBO_QUEUE>.\n").unwrap();
    let text = text.display().to_string();
    gate.json(&[
        "template",
        "set",
        "Offer",
        "--type",
        "create",
        "--queue",
        "Raw",
        "--subject",
        "Our offer",
        "--body-file",
        &text,
    ]);
    let new = ["ticket", "new", "--queue", "Raw", "--template", "Offer", "--idempotency-key", "offer 1"];
    let asked = |to: &'static str| [&new[..], &["--to", to]].concat();
    let receipt = gate.json(&asked("Jane Roe <jane@x.test>"));
    assert_eq!(gate.json(&asked("Jane Roe <jane@x.test>")), receipt, "asked again it is the same ticket");
    let other = gate.try_run(asked("bob@x.test"));
    let said = String::from_utf8_lossy(&other.stderr);
    assert!(other.status.code() == Some(1) && said.contains("was used before for another request"), "{said}");
    let mistaken =
        gate.try_run(["ticket", "new", "--queue", "Nowhere", "--to", "nobody", "--body-file", &text, "--subject", " "]);
    let said = String::from_utf8_lossy(&mistaken.stderr).into_owned();
    for option in ["--queue: There is no valid queue \"Nowhere\"", "--to: ", "--subject: "] {
        assert!(mistaken.status.code() == Some(1) && said.contains(option), "{option} is not in {said}");
    }
    let daemon = serve(&gate, out.path());
    let mail = await_sent(out.path(), "An offer of Raw.");
    let number = receipt[0]["ticket_number"].as_str().unwrap();
    assert!(
        mail.contains(&format!("Subject: [Ticket#{number}] Our offer")) && mail.contains("<jane@x.test>"),
        "{mail}"
    );
    let ticket = gate.json(&["ticket", "show", number]).remove(0);
    assert_eq!(
        (&ticket["title"], &ticket["customer_user"], &ticket["state"]),
        (&json!("Our offer"), &json!("jane@x.test"), &json!("open"))
    );
    assert_eq!(gate.json(&["ticket", "list"]).len(), 1);
    drop(daemon);
}

#[test]
fn a_reply_that_removes_its_ticket_tells_the_customer_so_once() {
    let out = tempfile::tempdir().unwrap();
    let gate = gate(out.path());
    let result = ingest(&gate, "From: jane@x.test\nMessage-ID: <one@x.test>\nSubject: Printer\n\nhello\n");
    let number = result["ticket_number"].as_str().unwrap();
    let body = gate.folder().join("body.txt");
    std::fs::write(&body, "We do no printers.\n").unwrap();
    let reply = [
        "ticket",
        "reply",
        number,
        "--body-file",
        body.to_str().unwrap(),
        "--state",
        "removed",
        "--idempotency-key",
        "bye",
    ];
    let receipt = gate.json(&reply);
    assert_eq!(gate.json(&reply), receipt);
    let daemon = serve(&gate, out.path());
    await_sent(out.path(), "We do no printers.");
    let farewell = await_sent(out.path(), "] Removed");
    assert!(farewell.contains("To: jane@x.test") && farewell.contains("Auto-Submitted: auto-replied"), "{farewell}");
    // What is removed already is not removed again; forwarded, its ticket goes into the state that was asked for.
    gate.run(&["ticket", "update", number, "--state", "removed"]);
    // What becomes part of another ticket is not gone.
    let other = ingest(&gate, "From: jane@x.test\nMessage-ID: <two@x.test>\nSubject: Scanner\n\nhello\n");
    gate.run(&[
        "ticket",
        "update",
        other["ticket_number"].as_str().unwrap(),
        "--state",
        "removed",
        "--merge-into",
        number,
    ]);
    let (article, body) = (result["article_id"].to_string(), body.to_str().unwrap());
    gate.json(&[
        "article",
        "forward",
        &article,
        "--to",
        "expert@x.test",
        "--body-file",
        body,
        "--state",
        "closed successful",
    ]);
    await_sent(out.path(), "To: expert@x.test");
    assert_eq!(gate.json(&["ticket", "show", number])[0]["state"], "closed successful");
    assert_eq!(sent(out.path(), "] Removed").len(), 1);
    drop(daemon);
}

/// A mail of somebody that names a ticket in its subject.
fn naming(number: &str, from: &str, id: &str, headers: &str) -> String {
    format!("From: {from}\nMessage-ID: <{id}>\n{headers}Subject: Re: [Ticket#{number}] Printer\n\nhello\n")
}

#[test]
fn a_stranger_who_names_a_number_is_marked_and_learns_nothing_until_an_agent_writes_to_him() {
    let out = tempfile::tempdir().unwrap();
    let gate = gate(out.path());
    gate.configure(
        "[[auto_response]]\nname = \"More\"\ntype = \"follow-up\"\nqueue = \"Raw\"\nsubject = \"Added\"\nbody = \"<OTOBO_TICKET_Title>\"\n",
    );
    let result =
        ingest(&gate, "From: jane@x.test\nMessage-ID: <one@x.test>\nPrecedence: bulk\nSubject: Printer\n\nhello\n");
    let number = result["ticket_number"].as_str().unwrap();
    let article = |result: &Value| gate.json(&["article", "show", &result["article_id"].to_string()]).remove(0);
    let own = ingest(&gate, &naming(number, "\"Jane\"@X.test", "two@x.test", ""));
    assert_eq!(
        (&own["warnings"], &own["auto_response"], &article(&own)["unvouched"]),
        (&json!([]), &json!("queued"), &json!(false))
    );
    let mut last = Value::Null;
    for (id, headers) in
        [("first@e.test", ""), ("second@e.test", "References: <first@e.test>\nReply-To: evil@e.test, jane@x.test\n")]
    {
        let strange = ingest(&gate, &naming(number, "evil@e.test", id, headers));
        assert_eq!(
            (&strange["ticket_number"], &strange["auto_response"]),
            (&json!(number), &json!("suppressed")),
            "{strange}"
        );
        let warnings = strange["warnings"].to_string();
        assert!(warnings.contains("nobody vouches for this mail from evil@e.test"), "{warnings}");
        assert_eq!(article(&strange)["unvouched"], true);
        last = strange["article_id"].clone();
    }
    let text = gate.folder().join("text.txt");
    std::fs::write(&text, "Mended.\n").unwrap();
    let text = text.display().to_string();
    let reply = gate.json(&["ticket", "reply", number, "--body-file", &text]).remove(0);
    assert_eq!(article(&reply)["to"], "\"Jane\"@X.test", "whoever wrote last is a stranger");
    let to_him =
        gate.json(&["ticket", "reply", number, "--body-file", &text, "--article", &last.to_string()]).remove(0);
    assert_eq!(article(&to_him)["to"], "jane@x.test", "only who is of the ticket is answered unnamed");
    let first = (last.as_i64().unwrap() - 1).to_string();
    let refused = gate.try_run(["ticket", "reply", number, "--body-file", &text, "--article", &first]);
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(
        refused.status.code() == Some(1) && said.contains("those of a mail that nobody vouches for: name one"),
        "{said}"
    );
    gate.json(&["ticket", "reply", number, "--body-file", &text, "--to", "evil@e.test"]);
    let invited = ingest(&gate, &naming(number, "evil@e.test", "third@e.test", ""));
    assert_eq!(
        (&invited["warnings"], &article(&invited)["unvouched"]),
        (&json!([]), &json!(false)),
        "an agent vouches for whom they write to"
    );
    assert!(gate.run(&["ticket", "show", number]).contains("UNVOUCHED"));
}

#[test]
fn who_writes_in_a_customers_name_gets_no_reply_no_answer_and_vouches_for_nobody() {
    let out = tempfile::tempdir().unwrap();
    let gate = gate(out.path());
    gate.configure(
        "[settings]\nauthentication_results_from = [\"mx.desk.test\"]\n\n\
         [[auto_response]]\nname = \"More\"\ntype = \"follow-up\"\nqueue = \"Raw\"\nsubject = \"Added\"\nbody = \"<OTOBO_TICKET_Title>\"\n",
    );
    let result = ingest(
        &gate,
        "From: jane@x.test\nReply-To: jane.roe@y.test\nMessage-ID: <one@x.test>\nSubject: Printer\n\nhello\n",
    );
    let number = result["ticket_number"].as_str().unwrap();
    let article = |result: &Value| gate.json(&["article", "show", &result["article_id"].to_string()]).remove(0);
    let marks = |result: &Value| {
        let article = article(result);
        (article["unvouched"] == true, article["vouched_by_address"] == true)
    };
    let (nobody, by_address, by_proof) = ((true, false), (false, true), (false, false));
    let write = |from: &str, id: &str, headers: &str| ingest(&gate, &naming(number, from, id, headers));
    let text = gate.folder().join("text.txt");
    std::fs::write(&text, "Mended.\n").unwrap();
    let text = text.display().to_string();
    let reply = |more: &[&str]| {
        let mut command = vec!["ticket", "reply", number, "--body-file", &text];
        command.extend(more);
        article(&gate.json(&command).remove(0))["to"].clone()
    };

    let forged = write("jane@x.test", "forged@e.test", "Reply-To: evil@e.test\nCc: friend@e.test\n");
    assert_eq!(
        (&forged["warnings"], &forged["auto_response"], marks(&forged)),
        (&json!([]), &json!("queued"), by_address)
    );
    assert_eq!(reply(&[]), "jane@x.test");
    for (from, headers) in [
        ("evil@e.test", ""),
        ("friend@e.test", ""),
        ("evil@e.test", "References: <forged@e.test>\n"),
        ("friend@e.test", "In-Reply-To: <forged@e.test>\n"),
    ] {
        let strange = write(from, &format!("{}-{}@e.test", &from[..4], headers.len()), headers);
        assert_eq!((marks(&strange), &strange["auto_response"]), (nobody, &json!("suppressed")), "{from} {headers}");
    }
    let known = write("jane@x.test", "known@x.test", "Reply-To: evil@e.test, jane.roe@y.test\n");
    assert_eq!((marks(&known), reply(&[])), (by_address, json!("jane.roe@y.test")), "who is of the ticket is answered");

    let daemon = serve(&gate, out.path());
    await_sent(out.path(), "] Added");
    until("all that is due has gone out", PATIENCE, || sent(out.path(), "").len() >= 5);
    for mail in sent(out.path(), "") {
        let mut recipients = mail.lines().take_while(|line| !line.is_empty()).filter(|line| line.starts_with("To:"));
        assert!(recipients.next().is_some_and(|to| to.contains("jane") && !to.contains("e.test")), "{mail}");
    }
    drop(daemon);

    // Whom an agent names, who answers a mail of the ticket, and whom a trusted host vouches for bring people.
    assert_eq!(reply(&["--to", "friend@e.test"]), "friend@e.test");
    assert_eq!(marks(&write("friend@e.test", "named@e.test", "")), by_address);
    assert_eq!(marks(&write("jane@x.test", "thread@x.test", "References: <one@x.test>\nCc: bob@x.test\n")), by_proof);
    assert_eq!(marks(&write("bob@x.test", "bob@x.test", "")), by_address);
    let passed = "Authentication-Results: mx.desk.test; dmarc=pass header.from=x.test\nReply-To: jane@z.test\n";
    assert_eq!((marks(&write("jane@x.test", "passed@x.test", passed)), reply(&[])), (by_proof, json!("jane@z.test")));
}

#[test]
fn a_setting_says_what_becomes_of_numbers_that_nobody_vouches_for() {
    let out = tempfile::tempdir().unwrap();
    let gate = gate(out.path());
    let result =
        ingest(&gate, "From: jane@x.test\nMessage-ID: <one@x.test>\nPrecedence: bulk\nSubject: Printer\n\nhello\n");
    let number = result["ticket_number"].as_str().unwrap();
    for (setting, follows, visible, unvouched, warned) in [
        ("accept", true, true, false, false),
        ("internal", true, false, true, true),
        ("new-ticket", false, true, false, true),
    ] {
        gate.configure(&format!("[settings]\nunvouched_numbers = \"{setting}\"\nnumber_generator = \"unguessable\"\n"));
        let strange = ingest(&gate, &naming(number, &format!("{setting}@e.test"), &format!("{setting}@e.test"), ""));
        assert_eq!(
            (strange["ticket_number"] == number, &strange["follow_up"]),
            (follows, &json!(follows)),
            "{strange}"
        );
        assert_eq!(strange["warnings"] != json!([]), warned, "{strange}");
        let article = gate.json(&["article", "show", &strange["article_id"].to_string()]).remove(0);
        assert_eq!(
            (&article["visible_for_customer"], &article["unvouched"]),
            (&json!(visible), &json!(unvouched)),
            "{setting}"
        );
        if !follows {
            let own = strange["ticket_number"].as_str().unwrap();
            assert_eq!(own.len(), 24, "date and sixteen digits: {own}");
            assert_eq!((&article["subject"], &strange["auto_response"]), (&json!("Printer"), &json!("queued")));
            // The subject's number counts for nothing, what the mail refers to does.
            let again = ingest(
                &gate,
                &naming(number, "new-ticket@e.test", "again@e.test", "References: <new-ticket@e.test>\n"),
            );
            assert_eq!((&again["ticket_number"], &again["why_follow_up"]), (&json!(own), &json!("references")));
        }
    }
}

#[test]
fn one_person_is_answered_so_often_a_day_and_all_so_often_an_hour_whatever_the_spelling() {
    let out = tempfile::tempdir().unwrap();
    let gate = gate(out.path());
    gate.configure("[settings]\nauto_responses_per_day = 2\nauto_responses_per_hour = 3\n");
    let write = |from: &str, id: usize| {
        ingest(&gate, &format!("From: {from}\nMessage-ID: <{id}@x.test>\nSubject: Printer\n\nhello\n"))
    };
    let spellings = [
        "victim@x.test",
        "\"victim\"@x.test",
        "\"vic\\tim\"@x.test",
        "victim@X.test.",
        "victim+1@x.test",
        "\"Victim+2\"@x.test",
    ];
    let results: Vec<Value> = spellings.iter().enumerate().map(|(id, from)| write(from, id)).collect();
    let outcomes: Vec<&str> = results.iter().map(|result| result["auto_response"].as_str().unwrap()).collect();
    assert_eq!(outcomes, ["queued", "queued", "suppressed", "suppressed", "suppressed", "suppressed"]);
    let log = gate.json(&["log", "list", "--search", "vic"]);
    let told = gate.run(&["log", "show", log[0]["id"].as_str().unwrap()]);
    let full = "No automatic answer (reply): \"Victim+2\"@x.test has had all automatic answers of this day (auto_responses_per_day = 2; 6 were due).";
    assert!(told.contains(full) && !told.contains(" is due"), "{told}");
    for from in ["a@x.test", "b@x.test"] {
        assert_eq!(write(from, usize::from(from.as_bytes()[0]))["auto_response"], "queued");
    }
    let this_hour = || UNIX_EPOCH.elapsed().unwrap().as_secs() / 3_600;
    let began = this_hour();
    let daemon = serve(&gate, out.path());
    let number_of = |status: &str| gate.json(&["outbound", "list", "--status", status]).len();
    until("three answers go out and one does not", PATIENCE, || {
        (number_of("sent"), number_of("cancelled")) == (3, 1) || this_hour() != began
    });
    if this_hour() != began {
        return; // another hour has another three
    }
    let cancelled = gate.run(&["outbound", "list", "--status", "cancelled", "--json"]);
    assert!(cancelled.contains("All 3 automatic answers of this hour have gone out"), "{cancelled}");
    let log = gate.json(&["log", "list", "--direction", "outgoing", "--priority", "error"]);
    assert_eq!(log.len(), 1, "{log:?}");
    // What was decided later than the mail was filed is told with the mail.
    let mails = gate.json(&["log", "list", "--direction", "incoming", "--search", "x.test"]);
    let told: Vec<String> = mails.iter().map(|mail| gate.run(&["log", "show", mail["id"].as_str().unwrap()])).collect();
    let dropped: Vec<_> = told.iter().filter(|told| told.contains("is cancelled: All 3 automatic answers")).collect();
    assert_eq!(dropped.len(), 1, "{told:?}");
    gate.run(&["ticket", "update", results[5]["ticket_number"].as_str().unwrap(), "--state", "removed"]);
    let told = gate.run(&["log", "show", results[5]["communication"].as_str().unwrap()]);
    assert!(told.contains("is cancelled: No automatic answer (remove): \"Victim+2\"@x.test has had all"), "{told}");
    drop(daemon);
}

#[test]
fn an_agents_mail_goes_out_from_an_address_that_the_queue_allows_and_from_no_other() {
    let out = tempfile::tempdir().unwrap();
    let gate = gate(out.path());
    gate.configure(
        "[settings]\nagents = [\"anna\"]\ndefine_email_from = \"agent-name-system-address-name\"\n\
         [[queue]]\nname = \"Raw\"\naddress = \"help@desk.test\"\n\
         [[system_address]]\naddress = \"sales@desk.test\"\ndisplay_name = \"Sales\"\nqueue = \"Raw\"\n\
         [[system_address]]\naddress = \"old@desk.test\"\nqueue = \"Raw\"\nvalid = false\n\
         [[system_address]]\naddress = \"junk@desk.test\"\nqueue = \"Junk\"\n",
    );
    let daemon = serve(&gate, out.path());
    let result = ingest(&gate, "From: Jane <jane@x.test>\nMessage-ID: <one@x.test>\nSubject: Printer\n\nhello\n");
    let number = result["ticket_number"].as_str().unwrap();
    let body = out.path().join("body.txt");
    std::fs::write(&body, "Dear Jane").unwrap();
    let body = body.to_str().unwrap();
    let reply = |more: &[&str]| {
        gate.try_run([&["ticket", "reply", number, "--agent", "anna", "--body-file", body], more].concat())
    };
    for (subject, more, from) in [
        ("own", &[][..], "From: \"anna via Desk\" <help@desk.test>"),
        ("other", &["--from", "Sales@Desk.test"], "From: \"anna via Sales\" <sales@desk.test>"),
    ] {
        assert!(reply(&[&["--subject", subject], more].concat()).status.success());
        let mail = await_sent(out.path(), &format!("] {subject}"));
        assert!(mail.lines().any(|line| line.eq_ignore_ascii_case(from)), "{from} is not in {mail}");
    }
    for from in ["junk@desk.test", "old@desk.test", "jane@x.test", "nobody", "a@b.test\nBcc: c@d.test"] {
        let refused = reply(&["--from", from]);
        let said = String::from_utf8_lossy(&refused.stderr);
        assert!(
            refused.status.code() == Some(1) && said.contains("--from: ") && said.contains("sales@desk.test"),
            "{said}"
        );
    }
    daemon.stop();
}
