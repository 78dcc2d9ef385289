import Foundation
import TestSupport
import Testing

/// The whole daemon against the Stripe twin, each a process of its own: no webhook is ever
/// delivered, and the ledger still ends right.
@Suite("Reconciliation of the whole", .serialized)
struct ReconciliationEndToEndTests {
    @Test("without one webhook, sweep and reconciliation bring the ledger to Stripe's balance")
    func wholeWay() async throws {
        let world = try await ReconciliationWorld()
        let charges = try await world.pay()
        let planted = try await world.twin.post(
            "/twin/balance_transactions",
            ["amount": "-725", "currency": "usd", "type": "stripe_fee"])
        #expect(planted["object"].text == "balance_transaction")
        try await world.start()

        let swept = try await world.tillbox("reconcile", "sweep", "--json")
        #expect(swept.code == 0, "\(swept.errors)")
        #expect(try JSON(swept.output)["missed"].int > charges.count)
        try await expectClean(world, charges)
        try await expectBank(world)
        try await expectBreaks(world, charges)
        let verified = try await world.tillbox("ledger", "verify")
        #expect(verified.code == 0, "\(verified.errors)")
    }

    /// In every currency the ledger comes to Stripe's balance, and a second run books nothing.
    private func expectClean(_ world: ReconciliationWorld, _ charges: [String]) async throws {
        // Stripe limits the rate and fails meanwhile; the run waits and asks again.
        _ = try await world.twin.post(
            "/twin/faults", ["status": "429", "retry_after": "1", "count": "2"])
        var clean = JSON.null
        try await eventually("everything is read and agrees") {
            let run = try await world.tillbox("reconcile", "run", "--json")
            clean = try JSON(run.output)["reconciliation"]
            let seen = clean["currencies"].list.reduce(0) { $0 + $1["transactions"].int }
            return run.code == 0 && seen >= charges.count + 6
        }
        #expect(clean["clean"].bool)
        let codes = clean["currencies"].list.map { $0["currency"].text }
        #expect(Set(codes).isSuperset(of: ["usd", "jpy", "bhd", "ugx", "isk"]))
        for currency in clean["currencies"].list {
            #expect(currency["ledger"].int == currency["stripe"].int, "\(currency)")
        }
        let again = try await world.tillbox("reconcile", "run", "--json")
        #expect(again.code == 0, "\(again.output)")
        let booked = try JSON(again.output)["reconciliation"]["currencies"].list
            .reduce(0) { $0 + $1["booked"].int }
        #expect(booked == 0)
    }

    /// Stripe takes ten dollars from the bank, which keeps five cents for it and says so in a file.
    private func expectBank(_ world: ReconciliationWorld) async throws {
        _ = try await world.twin.post(
            "/twin/payouts/debit", ["currency": "usd", "amount": "1000"])
        try await eventually("the ledger holds it") {
            _ = try await world.tillbox("reconcile", "sweep")
            _ = try await world.tillbox("reconcile", "run")
            return try await self.balance(of: "bank:usd", world) == -1000
        }
        let days = ISO8601DateFormatter()
        days.formatOptions = [.withFullDate]
        func day(_ later: Double) -> String {
            let text = days.string(from: Date().addingTimeInterval(later * 86_400))
            return text.replacing("-", with: "").dropFirst(2).description
        }
        let file = world.folder.file("bank.sta")
        let lines = [
            ":20:1", ":25:A", ":60F:C\(day(0))USD20,00",
            ":61:\(day(1))D10,05NTRFNONREF//1", ":86:STRIPE", ":62F:C\(day(9))USD9,95", "-",
        ]
        try lines.joined(separator: "\n").write(toFile: file, atomically: true, encoding: .utf8)
        for new in [1, 0] {
            let taken = try await world.tillbox("bank", "import", file)
            #expect(taken.code == 0, "\(taken)")
            #expect(taken.output.contains("the ledger is what the bank says"))
            #expect(taken.output.contains("1 entry, \(new) of them new"))
        }
        #expect(try await balance(of: "bank:usd", world) == -1005)
        #expect(try await balance(of: "charges:bank", world) == 5)
        let shown = try await world.tillbox("bank", "show", "--all", "--json")
        #expect(try JSON(shown.output)["movements"].list.map { $0["state"].text } == ["different"])
        let month = try await world.tillbox("report", "month", "2020-01", "--csv")
        #expect(month.code == 0 && month.output.hasPrefix("month,account,"), "\(month)")
        try await expectBankCorrected(world, file, lines)
        // A year of a busy account, far beyond what other requests may have.
        let big = world.folder.file("big.csv")
        let entries = (0..<3_000).map {
            "2026-11-\(10 + $0 % 18),1.00,Other business \($0)\n"
        }
        try ("Date,Amount,Text\n" + entries.joined()).write(
            toFile: big, atomically: true, encoding: .utf8)
        let mapping = world.folder.file("mapping.json")
        try #"{"date":"Date","amount":"Amount","currency_is":"usd","account_is":"B","text":"Text"}"#
            .write(toFile: mapping, atomically: true, encoding: .utf8)
        let large = try await world.tillbox("bank", "import", big, "--mapping", mapping)
        #expect(large.output.contains("3000 entries, 3000 of them new"), "\(large.errors)")
        let note = world.folder.file("note.txt")
        try "not a statement".write(toFile: note, atomically: true, encoding: .utf8)
        let wrong = try await world.tillbox("bank", "import", note)
        #expect(wrong.code == 3)
        #expect(wrong.errors.contains("neither camt.053 nor MT940"), "\(wrong.errors)")
    }

    /// The bank took nothing after all: told with what differs, then taken in the former's place.
    private func expectBankCorrected(
        _ world: ReconciliationWorld, _ file: String, _ lines: [String]
    ) async throws {
        let right = lines.map {
            $0.replacing("D10,05", with: "D10,00").replacing("9,95", with: "10,00")
        }
        try right.joined(separator: "\n").write(toFile: file, atomically: true, encoding: .utf8)
        let told = try await world.tillbox("bank", "import", file)
        #expect(told.code == 3 && told.errors.contains("Nothing was taken"), "\(told)")
        let number = try #require(told.errors.firstMatch(of: /is number ([0-9]+) here/)?.output.1)
        let taken = try await world.tillbox("bank", "import", file, "--replaces", String(number))
        #expect(taken.code == 0, "\(taken)")
        #expect(taken.output.contains("1 entry, 1 of them new; 1 counts no more"))
        #expect(try await balance(of: "bank:usd", world) == -1000)
        #expect(try await balance(of: "charges:bank", world) ?? 0 == 0)
        let shown = try await world.tillbox("bank", "show", "--all", "--json")
        #expect(try JSON(shown.output)["movements"].list.map { $0["state"].text } == ["arrived"])
    }

    private func balance(of account: String, _ world: ReconciliationWorld) async throws -> Int? {
        let all = try JSON(try await world.tillbox("ledger", "balances", "--json").output)
        return all["balances"].list.first { $0["account"].text == account }?["minor_units"].int
    }

    /// What Stripe forgets, changes, repeats and invents is found, and nothing else is.
    private func expectBreaks(_ world: ReconciliationWorld, _ charges: [String]) async throws {
        let page = try await world.twin.get("/v1/balance_transactions?type=charge&limit=100")
        let lines = page["data"].list
        func line(_ charge: Int) -> String {
            lines.first { $0["source"].text == charges[charge] }?["id"].text ?? "none"
        }
        let path = "/twin/balance_transactions"
        _ = try await world.twin.post("\(path)/\(line(0))/change", ["amount": "12345"])
        let copy = try await world.twin.post("\(path)/\(line(1))/duplicate", [:])["id"].text
        let odd = try await world.twin.post(path, ["amount": "777", "currency": "usd"])["id"].text
        let expected = [
            "amount_mismatch \(line(0))", "duplicate_at_stripe \(copy)", "missing_in_ledger \(odd)",
        ].sorted()
        var found: [String] = []
        try await eventually("the planted breaks are found: \(found)") {
            let run = try await world.tillbox("reconcile", "run", "--json", "--from", "2020-01-01")
            let root = try JSON(run.output)
            found = root["findings"].list.filter { $0["status"].text == "open" }
                .map { "\($0["kind"].text) \($0["subject"].text)" }.sorted()
            let unexplained = root["reconciliation"]["currencies"].list.map {
                $0["unexplained"].int
            }
            return run.code == 1 && found == expected && unexplained.allSatisfy { $0 == 0 }
        }
        let csv = try await world.tillbox("reconcile", "show", "last", "--csv")
        #expect(csv.code == 1)
        #expect(csv.output.contains("amount_mismatch,open,\(line(0))"))
        let shown = try await world.tillbox("reconcile", "show", "last")
        #expect(shown.output.contains("duplicate_at_stripe"))
        #expect(try await world.tillbox("reconcile", "list").output.contains("finished"))
    }

    @Test("SIGKILL in the middle of a run: the next start goes on at its page")
    func killed() async throws {
        let world = try await ReconciliationWorld()
        _ = try await world.twin.post(
            "/twin/bulk", ["count": "2000", "currencies[]": "usd", "events": "false"])
        let paidAt = Date()
        try await world.start()
        _ = try await world.twin.post("/twin/faults", ["latency_ms": "150"])
        // A period ends before the second that it is asked for in.
        try await eventually("the second of the payments is over") {
            Date().timeIntervalSince(paidAt) > 1.1
        }
        let asked = try await world.api(.post, "/api/v1/reconciliations", body: "{}")
        let id = asked["id"].text
        var pages = 0
        try await eventually("some pages are read") {
            let run = try await world.api(.get, "/api/v1/reconciliations/\(id)")
            pages = run["reconciliation"]["pages"].int
            return pages >= 3
        }
        world.daemon?.kill(SIGKILL)
        await world.daemon?.wait()
        let left = try await world.tillbox("reconcile", "list", "--json")
        let stored = try JSON(left.output)["reconciliations"].list[0]
        #expect(stored["state"].text == "reading" && stored["pages"].int >= pages)
        _ = try await world.twin.post("/twin/faults", ["latency_ms": "0"])

        try await world.start()
        var run = JSON.null
        try await eventually("the run is over") {
            run = try await world.api(.get, "/api/v1/reconciliations/\(id)")["reconciliation"]
            return run["state"].text == "finished"
        }
        // Nobody told the ledger of the payments; their fees are booked all the same, once each.
        let usd = run["currencies"].list[0]
        #expect(run["transactions"].int == usd["transactions"].int)
        #expect(usd["booked"].int == usd["transactions"].int, "\(usd)")
        let fees = try await world.tillbox("ledger", "balances", "--json")
        let held = try JSON(fees.output)["balances"].list.first {
            $0["account"].text == "fees:stripe"
        }
        #expect(held?["minor_units"].int == usd["fees"].int)
    }

    @Test("a daemon that starts after its time of day reconciles by itself, says so, and once only")
    func bySchedule() async throws {
        let anHourAgo = Calendar(identifier: .gregorian).dateComponents(
            in: try #require(TimeZone(secondsFromGMT: 0)), from: Date().addingTimeInterval(-3600))
        let world = try await ReconciliationWorld(
            reconcileAt: "\(anHourAgo.hour ?? 0):\(anHourAgo.minute ?? 0)")
        _ = try await world.twin.post(
            "/twin/bulk", ["count": "150", "currencies[]": "isk", "events": "false"])
        func runs() async throws -> [JSON] {
            let list = try await world.tillbox("reconcile", "list", "--json")
            return try JSON(list.output)["reconciliations"].list
        }
        try await world.start()
        try await eventually("it has reconciled by itself") {
            try await runs().first?["state"].text == "finished"
        }
        #expect(try await runs().map { $0["cause"].text } == ["schedule"])
        #expect(world.daemon?.standardError.contains("the first one reads everything") == true)
        world.daemon?.kill(SIGKILL)
        await world.daemon?.wait()
        try await world.start()
        let asked = try await world.tillbox("reconcile", "run", "--json")
        #expect(asked.code <= 1, "\(asked.errors)")
        #expect(try await runs().map { $0["cause"].text } == ["request", "schedule"])
    }

    @Test("a dry run shows what it would book and changes nothing; a terminal gets a bar")
    func dryRunOnTerminal() async throws {
        let world = try await ReconciliationWorld()
        _ = try await world.twin.post(
            "/twin/bulk", ["count": "250", "currencies[]": "jpy", "events": "false"])
        let planted = try await world.twin.post(
            "/twin/balance_transactions",
            ["amount": "-725", "currency": "usd", "type": "stripe_fee"])
        try await world.start()
        let log = { try await world.tillbox("log", "topics", "--json").output }
        let before = try await log()
        // The second of what was planted has to be over, or it is not in the period yet.
        try await eventually("everything is in the period") {
            let dry = try await world.tillbox("reconcile", "run", "--dry-run", "--json")
            let root = try JSON(dry.output)
            let findings = root["findings"].list
            let bill = findings.first { $0["subject"].text == planted["id"].text }
            return dry.code == 1 && root["reconciliation"]["dry_run"].bool
                && bill?["kind"].text == "fee_unbooked" && bill?["status"].text == "open"
                && (bill?["age_seconds"].int ?? -1) >= 0
        }
        _ = try await world.twin.post("/twin/faults", ["latency_ms": "100"])
        let shown = try await world.onTerminal("reconcile", "run", "--dry-run")
        #expect(shown.code == 1)
        #expect(shown.output.contains("reconciling"), "\(shown.output.prefix(2000))")
        #expect(shown.output.contains("fee_unbooked"))
        #expect(try await log() == before)
        let list = try await world.tillbox("reconcile", "list", "--json")
        #expect(try JSON(list.output)["reconciliations"].list.isEmpty)
    }

    @Test("another folder's daemon is not taken for this one's; that none answers is said at once")
    func whoseDaemon() async throws {
        let world = try await ReconciliationWorld()
        try await world.start()
        let other = world.folder.file("other")
        for words in [["reconcile", "run"], ["reconcile", "sweep"]] {
            let wrong = try await world.tillbox(words, data: other)
            #expect(wrong.code == 3, "\(wrong)")
            #expect(wrong.errors.contains("another data folder than"), "\(wrong.errors)")
            #expect(wrong.errors.contains("/other"), "\(wrong.errors)")
            #expect(wrong.errors.split(separator: "\n").count == 1, "\(wrong.errors)")
        }
        #expect(
            try await world.api(.get, "/api/v1/reconciliations")["reconciliations"].list.isEmpty)
        #expect(try await world.tillbox("reconcile", "run").code == 0)
        world.daemon?.kill(SIGTERM)
        await world.daemon?.wait()
        let begun = ContinuousClock.now
        let none = try await world.tillbox("reconcile", "run")
        #expect(none.code == 3 && none.errors.contains("no daemon answers"), "\(none)")
        // A client that tried again would do so for half a minute.
        #expect(ContinuousClock.now - begun < .seconds(20))
    }

    @Test("each result says how much is explained, and until when missed events were looked for")
    func saysHowFar() async throws {
        let world = try await ReconciliationWorld()
        _ = try await world.pay()
        try await world.start()
        let unswept = try await world.tillbox("reconcile", "run")
        #expect(unswept.output.contains("missed events have not been looked for"), "\(unswept)")
        let sweep = try await world.tillbox("reconcile", "sweep")
        #expect(sweep.output.contains("events at Stripe until 20"))
        var run = (code: Int32(1), output: "", errors: "")
        try await eventually("everything is read and agrees: \(run)") {
            run = try await world.tillbox("reconcile", "run")
            return run.code == 0 && run.output.contains("100.00 %")
        }
        #expect(run.output.contains("missed events were looked for until 20"))
        let shown = try JSON(try await world.tillbox("reconcile", "show", "last", "--json").output)
        #expect(shown["reconciliation"]["missed_events_until"].int > 1_700_000_000)
        let usd = shown["reconciliation"]["currencies"].list.first { $0["currency"].text == "usd" }
        #expect(usd?["matched_turnover"].int == usd?["turnover"].int && usd?["share"].int == 1)
        #expect(try await world.tillbox("reconcile", "list").output.contains("missed events until"))
        let status = try await world.api(.get, "/api/v1/status")["reconciliation"]
        #expect(status["clean"].bool && status["share"].int == 1, "\(status)")
        #expect(status["missed_events_until"].int > 1_700_000_000)
        let log = world.daemon?.standardError ?? ""
        #expect(log.contains("explained_usd") && log.contains("missed_events_until"), "\(log)")
    }

    @Test("without charge.* each charge comes from the API, and no review stays open for it")
    func chargeThatDoesNotArrive() async throws {
        let world = try await ReconciliationWorld(chargeWaitSeconds: 1)
        let endpoint = try await world.twin.post(
            "/v1/webhook_endpoints",
            [
                "url": "http://127.0.0.1:\(world.ports.webhook)/webhooks/stripe",
                "enabled_events[]": "payment_intent.succeeded",
            ])
        try await world.start(secret: endpoint["secret"].text)
        _ = try await world.pay(2500, "usd")
        func status(_ name: String) async throws -> Int {
            try await world.api(.get, "/api/v1/status")[name].int
        }
        try await eventually("the charge is fetched") { try await status("charges_fetched") == 1 }
        try await eventually("it is scored again") { try await status("rescored") == 1 }
        try await eventually("no money is held any more") {
            let text = try await world.tillbox("ledger", "balances", "--json").output
            let balances = try JSON(text)["balances"].list
            func sum(_ suffix: String) -> Int {
                balances.filter { $0["account"].text.hasSuffix(suffix) }
                    .reduce(0) { $0 + $1["minor_units"].int }
            }
            return sum(":held") == 0 && sum(":payable") == -2500
        }
        // After a restart nothing is fetched again.
        world.daemon?.kill(SIGKILL)
        await world.daemon?.wait()
        try await world.start(secret: endpoint["secret"].text)
        _ = try await world.pay(2600, "usd")
        try await eventually("the next charge is fetched, and it alone") {
            try await status("charges_fetched") == 1
        }
        #expect(try await status("events_backfilled") == 1)
    }

    @Test("without a key, and with wrong requests, the answer says what to do")
    func refusals() async throws {
        let world = try await ReconciliationWorld(key: nil)
        try await world.start()
        let run = try await world.tillbox("reconcile", "run")
        #expect(run.code == 3 && run.errors.contains("stripe.api_key"), "\(run.errors)")
        let problem = try await world.api(.post, "/api/v1/reconciliations", body: #"{"form":1}"#)
        #expect(problem["status"].int == 400 && !problem["detail"].text.isEmpty)
        #expect(try await world.api(.get, "/api/v1/reconciliations/9")["status"].int == 404)
        #expect(try await world.api(.get, "/api/v1/reconciliations?limit=0")["status"].int == 400)
        world.daemon?.kill(SIGTERM)
        await world.daemon?.wait()
        let dead = try await world.tillbox("reconcile", "run")
        #expect(dead.code == 3 && dead.errors.contains("tillbox run"), "\(dead.errors)")
        let wrong = try await world.tillbox("reconcile", "show", "never")
        #expect(wrong.code == 2)
    }
}
