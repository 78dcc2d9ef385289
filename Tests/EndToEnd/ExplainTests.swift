import Foundation
import TestSupport
import Testing

/// `explain`, `ledger export` and `log send` from the outside, beside a daemon and on a folder.
@Suite("Explain, export and send", .serialized, .timeLimit(.minutes(10)))
struct ExplainTests {
    /// A daemon that has booked one payment, and the webhook's body.
    private func paid() async throws -> (daemon: RunningDaemon, body: String) {
        let daemon = try await RunningDaemon()
        let now = Int64(Date().timeIntervalSince1970)
        let body = """
            {"id":"evt_explained","object":"event","type":"charge.succeeded","created":\(now),\
            "livemode":false,"data":{"object":{"id":"ch_explained","object":"charge","amount":9000,\
            "amount_captured":4250,"currency":"usd","captured":true,"created":\(now),\
            "status":"succeeded","paid":true,"customer":"cus_1"}}}
            """
        #expect(try daemon.deliver(body: body, signedAt: now) == 200)
        try await daemon.drained("the payment is booked")
        return (daemon, body)
    }

    private func tillbox(
        _ daemon: RunningDaemon, _ words: [String], secret: String? = "whsec_test"
    ) async throws -> (code: Int32, output: String, errors: String) {
        try await Child.run(
            Tillbox.executable, words + ["--data", daemon.data],
            environment: secret.map { ["TILLBOX_WEBHOOK_SECRET": $0] } ?? [:])
    }

    @Test("a payment is explained down to its bytes, beside a daemon and when it has stopped")
    func payment() async throws {
        let (daemon, body) = try await paid()
        for isRunning in [true, false] {
            if !isRunning { try await daemon.stop() }
            let answer = try await tillbox(daemon, ["explain", "ch_explained", "--json"])
            #expect(answer.code == 0, "\(answer)")
            let movement = try JSON(answer.output)["movement"]
            let transaction = try #require(movement["transactions"].list.first)
            #expect(transaction["movement"].text == "charge:ch_explained")
            #expect(transaction["webhook"]["bytes"].int == body.utf8.count)
            #expect(transaction["webhook"]["signature"]["state"].text == "valid")
            for entry in transaction["entries"].list {
                let number = try #require(entry["numbers"].list.first)
                let (from, to) = (number["from"].int, number["to"].int)
                #expect(String(decoding: Array(body.utf8)[from..<to], as: UTF8.self) == "4250")
                #expect(number["path"].text == "data.object.amount_captured")
                #expect(abs(entry["minor_units"].int) == 4250)
            }
            for record in transaction["records"].list {
                #expect(record["state"].text == "found")
                #expect(record["offset"].int == 0)
            }
        }
        let text = try await tillbox(daemon, ["explain", "charge:ch_explained"], secret: nil)
        #expect(text.code == 0, "\(text)")
        #expect(text.output.contains("no longer verifiable: secret unknown"), "\(text.output)")
        #expect(text.output.contains("▸4250◂"), "\(text.output)")
        let rolled = try await tillbox(daemon, ["explain", "1"], secret: "whsec_rolled")
        #expect(rolled.output.contains("no longer verifiable: no secret"), "\(rolled.output)")
        #expect(!(rolled.output + text.output).contains("whsec_"))
        // It left nothing behind, and the folder is as good as before.
        #expect(try await tillbox(daemon, ["ledger", "verify"]).code == 0)
    }

    @Test("an account's sum is the balance that the ledger keeps, page by page")
    func account() async throws {
        let data = try await FilledFolder()
        func run(_ words: String...) async throws -> JSON {
            let answer = try await Child.run(
                Tillbox.executable, words + ["--data", data.path, "--json"])
            #expect(answer.code == 0, "\(words): \(answer.errors)")
            return try JSON(answer.output)
        }
        let balances = try await run("ledger", "balances")["balances"].list
        for balance in balances where balance["account"].text == "processor:stripe" {
            let currency = balance["currency"].text
            var (after, seen, last) = (0, 0, 0)
            while true {
                let page = try await run(
                    "explain", "processor:stripe", "--currency", currency, "--limit", "40",
                    "--after", "\(after)")["accounts"].list[0]
                #expect(page["balance_checked"].bool && page["faults"].list.isEmpty)
                #expect(page["sum"]["minor_units"].int == balance["minor_units"].int)
                #expect(page["before"]["entries"].int == seen)
                seen += page["entries"].list.count
                last = page["entries"].list.last?["balance"].int ?? last
                guard page["next"].int > 0 else {
                    #expect(seen == page["sum"]["entries"].int)
                    break
                }
                after = page["next"].int
            }
            #expect(last == balance["minor_units"].int)
        }
    }

    @Test("an unknown name is one sentence with the nearest one", arguments: [
        ("processor:strip", "did you mean processor:stripe?"),
        ("charge:ch_explaind", "did you mean charge:ch_explained?"),
        ("99999", "no transaction 99999"), ("zzzzzzzzzzzzzzzzzzzzz", "ledger balances"),
    ])
    func unknown(name: String, hint: String) async throws {
        let (daemon, _) = try await paid()
        try await daemon.stop()
        let answer = try await tillbox(daemon, ["explain", name])
        #expect(answer.code == 3 && answer.output.isEmpty, "\(answer)")
        #expect(answer.errors.contains(hint), "\(answer.errors)")
        #expect(answer.errors.split(separator: "\n").count == 1)
    }

    @Test("a tampered ledger is exit code 1, with what does not fit")
    func tampered() async throws {
        let (daemon, _) = try await paid()
        try await daemon.stop()
        let sql = try await Child.run(
            "/usr/bin/sqlite3",
            [
                "\(daemon.data)/ledger.sqlite",
                "DROP TRIGGER entries_no_update; UPDATE entries SET amount = amount * 2 "
                    + "WHERE transaction_id = 1;",
            ])
        #expect(sql.code == 0, "\(sql)")
        let answer = try await tillbox(daemon, ["explain", "ch_explained"])
        #expect(answer.code == 1, "\(answer)")
        for part in ["its hash is not that", "payment.scored tells a payment of 42.50 usd"] {
            #expect(answer.output.contains("DOES NOT FIT: ") && answer.output.contains(part))
        }
        #expect(answer.errors.contains("ledger verify"))
    }

    // MARK: Export

    @Test("an export to a file is what it is on standard output, and its sums are the balances")
    func export() async throws {
        let data = try await FilledFolder()
        for format in ["json", "csv", "beancount"] {
            let words = ["ledger", "export", "--format", format, "--data", data.path]
            let out = data.file("export.\(format)")
            let file = try await Child.run(Tillbox.executable, words + ["--out", out])
            #expect(file.code == 0 && file.output.isEmpty, "\(file)")
            let told = try await Child.run(Tillbox.executable, words)
            #expect(try String(contentsOfFile: out, encoding: .utf8) == told.output)
        }
        let csv = try String(contentsOfFile: data.file("export.csv"), encoding: .utf8)
        let entries = csv.split(separator: "\n").count - 1
        let verify = try await Tillbox.run("ledger", "verify", "--data", data.path, "--json")
        let counted = try JSON(verify.output)["verification"].list[0]["entries"].int
        #expect(entries == counted)
        let nowhere = try await Tillbox.run(
            "ledger", "export", "--data", data.path, "--out", data.file("no/such/folder"))
        #expect(nowhere.code == 3 && nowhere.errors.contains("--out"), "\(nowhere)")
        let none = try await Tillbox.run(
            "ledger", "export", "--data", data.path, "--from", "2100-01-01")
        #expect(none.output == "{\"transactions\":[\n]}\n", "\(none)")
    }

    // MARK: Send

    @Test("records are sent again as they were, freshly signed, in their order")
    func send() async throws {
        let data = try await FilledFolder(count: 60)
        let receiver = try await RunningDaemon()
        let secret = data.file("secret")
        func send(_ words: String..., with text: String = "whsec_test") async throws -> (
            code: Int32, output: String, errors: String
        ) {
            try text.write(toFile: secret, atomically: true, encoding: .utf8)
            try FileManager.default.setAttributes(
                [.posixPermissions: 0o600], ofItemAtPath: secret)
            return try await Child.run(
                Tillbox.executable,
                ["log", "send", "webhook.received"] + words + [
                    "--to", "http://127.0.0.1:\(receiver.webhook)/webhooks/stripe",
                    "--secret-file", secret, "--data", data.path,
                ])
        }
        let first = try await send("3", "--count", "50", "--json")
        #expect(first.code == 0, "\(first)")
        let rows = try JSON(first.output)["sent"].list
        #expect(rows.map { $0["offset"].int } == Array(3..<53))
        #expect(rows.allSatisfy { $0["status"].int == 200 })
        let ours = try await Tillbox.run(
            "log", "cat", "webhook.received", "--from", "3", "--count", "50", "--data", data.path)
        let theirs = try await Tillbox.run(
            "log", "cat", "webhook.received", "--data", receiver.data)
        // As they are written, to the byte: the value comes last.
        func values(_ text: String) -> [Substring] {
            text.split(separator: "\n").map { line in
                line[(line.firstRange(of: "\"value\":")?.upperBound ?? line.endIndex)...]
            }
        }
        #expect(values(ours.output).count == 50)
        #expect(values(ours.output) == values(theirs.output))
        // Once more is a repetition to the receiver, and beyond the end there is nothing to send.
        let again = try await send("50", "--count", "1000")
        #expect(again.code == 0 && again.output.split(separator: "\n").count == 11, "\(again)")
        let wrong = try await send("0", "--count", "2", with: "whsec_other")
        #expect(wrong.code == 1, "\(wrong)")
        #expect(wrong.output.contains("400") && wrong.errors.contains("2 of 2 were answered"))
        try await receiver.stop()
        let gone = try await send("0")
        #expect(gone.code == 3 && gone.errors.contains("no answer to offset 0"), "\(gone)")
        #expect(gone.output.isEmpty, "\(gone)")
        #expect(![first, again, wrong, gone].contains { ($0.output + $0.errors).contains("whsec") })
    }

    @Test("what cannot be sent is one sentence", arguments: [
        (["payment.scored", "0"], 3, "holds nothing that was ever signed"),
        (["webhook.recieved", "0"], 3, "did you mean webhook.received?"),
        (["webhook.received", "999"], 3, "outside 0..<20"),
        (["webhook.received", "0", "--count", "0"], 2, "--count"),
        (["webhook.received", "0", "--timeout", "0"], 2, "--timeout"),
    ] as [([String], Int32, String)])
    func refused(words: [String], code: Int32, part: String) async throws {
        let data = try await FilledFolder(count: 20)
        let secret = data.file("secret")
        try "whsec_test".write(toFile: secret, atomically: true, encoding: .utf8)
        try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: secret)
        let answer = try await Child.run(
            Tillbox.executable,
            ["log", "send"] + words + [
                "--to", "https://localhost:1/", "--secret-file", secret, "--data", data.path,
            ])
        #expect(answer.code == code && answer.errors.contains(part), "\(answer)")
        try FileManager.default.setAttributes([.posixPermissions: 0o644], ofItemAtPath: secret)
        let open = try await Child.run(
            Tillbox.executable,
            [
                "log", "send", "webhook.received", "0", "--to", "https://localhost:1/",
                "--secret-file", secret, "--data", data.path,
            ])
        #expect(open.code == 3 && open.errors.contains("chmod"), "\(open)")
    }
}
