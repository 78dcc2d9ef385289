import TestSupport
import Testing

/// Payments at the console role: lists, stories and what a customer paid before.
extension CloudConsoleTests {
    /// The overview tells what this process can know, and nothing of its own counters, which are
    /// those of no pipeline.
    func expectOverview(_ console: Console, _ cookie: String) async throws {
        try await eventually("the ledger was asked anew", every: .milliseconds(100)) {
            try !console.browse("/", cookie: cookie).content.contains("Nothing is booked yet")
        }
        let page = try console.browse("/", cookie: cookie)
        #expect(page.status == 200, "\(page.text)")
        for words in [
            "Trial balance", "Oldest unread record", "The money is right", "a topic at Kafka",
            "of all that the topics hold", "payments booked", "Total volume",
        ] {
            #expect(page.content.contains(words), "\(words): \(page.content)")
        }
        for words in [
            "Duplicates blocked", "Last hour", "since the daemon", "Backups", "on this disk",
        ] {
            #expect(!page.content.contains(words), "\(words)")
        }
        let booked = page.content.firstMatch(of: /data-value="booked">([0-9,]+)</)
        let count = booked.flatMap { Int($0.1.replacing(",", with: "")) } ?? 0
        #expect(count > 50, "of 200 events: \(count)")
    }

    /// Nothing here is on a disk or in a file of this machine.
    func expectOwnWords(_ page: Console.Answer, _ path: String) {
        for words in ["on disk", "daemon’s machine", "of this machine", "can write the file"] {
            #expect(!page.content.contains(words), "\(path): \(words)")
        }
    }

    /// All pages of a list.
    private static func all(
        _ path: String, _ name: String, _ console: Console
    ) throws -> [JSON] {
        var (found, after): ([JSON], String?) = ([], nil)
        repeat {
            let page = try console.get("\(path)?limit=1000" + (after.map { "&after=\($0)" } ?? ""))
            found += page[name].list
            after = page["next"].text.isEmpty ? nil : page["next"].text
        } while after != nil
        return found
    }

    /// Both list the payments that the ledger has booked, and the same ones.
    func expectPayments(_ consoles: [Console]) async throws {
        try await Self.untilIndexed(consoles)
        var booked: Set<String> = []
        var after = 0
        while true {
            let page = try consoles[0].get("/api/v1/transactions?limit=1000&after=\(after)")
            let rows = page["transactions"].list
            for row in rows where row["kind"].text == "payment" {
                booked.insert(row["movement"].text)
            }
            guard let last = rows.last else { break }
            after = last["id"].int
        }
        #expect(booked.count > 50)
        for console in consoles {
            try await eventually("the list is the ledger's", every: .milliseconds(200)) {
                let listed = try Self.all("/api/v1/payments", "payments", console)
                    .filter { !["unbooked", "failed"].contains($0["place"].text) }
                    .map { $0["movement"].text }
                return Set(listed) == booked && listed.count == booked.count
            }
        }
    }

    /// A payment's records are found in whichever partition they are, and its amount down to the
    /// webhook's bytes, whose signature is computed again.
    func expectStories(_ console: Console) throws {
        let rows = try Self.all("/api/v1/payments", "payments", console)
            .filter { $0["place"].text != "unbooked" && $0["place"].text != "failed" }
        var partitions: Set<Int> = []
        for row in rows.prefix(24) {
            let movement = row["movement"].text
            let story = try console.get("/api/v1/payments/\(movement)")
            let records = story["records"].list
            #expect(records.allSatisfy { $0["kept"].bool }, "\(records)")
            for record in records { partitions.insert(record["partition"].int) }
            for topic in ["webhook.received", "payment.scored", "ledger.posted"] {
                #expect(records.contains { $0["topic"].text == topic }, "\(movement): \(topic)")
            }
            let explained = try console.get("/api/v1/explain/\(movement)")
            #expect(explained["faults"].list.isEmpty, "\(explained["faults"])")
            for transaction in explained["transactions"].list {
                let states = transaction["records"].list.map { $0["state"].text }
                #expect(states == ["found", "found", "found", "found"], "\(movement): \(states)")
                let signature = transaction["webhook"]["signature"]["state"].text
                #expect(signature == "valid", "\(movement): \(transaction["webhook"])")
            }
        }
        #expect(partitions == [0, 1, 2], "24 payments lie in each of the partitions")
    }

    /// Beside a case stands what the customer paid before, wherever those records are.
    func expectHistory(_ console: Console) throws {
        var seen = 0
        for review in try console.get("/api/v1/reviews?limit=100")["reviews"].list {
            let movement = review["movement"].text
            let row = try console.get("/api/v1/payments/\(movement)")["payment"]
            let customer = row["customer"].text
            guard seen < 3, !customer.isEmpty else { continue }
            let others = try console.get("/api/v1/payments?customer=\(customer)")["payments"].list
                .filter { $0["movement"].text != movement }
            // Of one second either may be the earlier one.
            guard !others.contains(where: { $0["created"].int == row["created"].int }) else {
                continue
            }
            let hasEarlier = others.contains { $0["created"].int < row["created"].int }
            let sheet = try console.ask("GET", "/review/\(movement)/sheet")
            #expect(sheet.status == 200, "\(sheet.text)")
            #expect(
                sheet.content.contains("The customer before") == hasEarlier,
                "\(movement) of \(customer): \(hasEarlier)")
            seen += hasEarlier ? 1 : 0
        }
        #expect(seen > 0, "200 payments have a customer who pays twice")
    }

    /// An open page has been told of payments that the ledger has booked, of figures that agree
    /// with it, and of the decision; who comes back goes on, and who comes from another instance is
    /// told that nobody knows what was missed.
    func expectTold(_ watching: Watching, _ movement: String, _ console: Console) throws {
        let hello = try watching.next("hello")
        #expect(!hello.data["resumed"].bool)
        let payment = try watching.next("payment")
        #expect(payment.data.has("partition"), "\(payment.data)")
        let pairs = payment.data["transactions"].list
        for pair in pairs {
            #expect(pair["entries"].list.reduce(0) { $0 + $1["amount"].int } == 0, "\(pair)")
        }
        #expect(!pairs.isEmpty, "\(payment.data)")
        _ = try watching.next("review") {
            $0["review"]["movement"].text == movement && $0["review"]["state"].text == "approved"
        }
        let figures = try watching.next("figures").data
        #expect(figures["money"]["is_zero"].bool && figures.has("shown"), "\(figures)")
        #expect(figures["readers"].list.contains { $0["group"].text == "ledger" }, "\(figures)")
        let whole = try console.get("/api/v1/figures")
        #expect(whole["stages"].list.count == 7 && whole["history"].list.isEmpty, "\(whole)")
        let id = try #require(payment.id)
        #expect(try Watching(console, after: id).next("hello").data["resumed"].bool)
        let other = try Watching(console, after: "1-1").next("hello")
        #expect(!other.data["resumed"].bool)
    }

    /// A program that reads a console's events.
    final class Watching {
        private let connection: RawConnection

        init(_ console: Console, after id: String? = nil) throws {
            connection = try RawConnection(port: console.port, patienceSeconds: 60)
            let last = id.map { "Last-Event-ID: \($0)\r\n" } ?? ""
            connection.send(
                "GET /api/v1/events HTTP/1.1\r\nHost: localhost\r\n"
                    + "Authorization: Bearer \(CloudConsoleTests.token)\r\n\(last)\r\n")
        }

        func isClosedByPeer() -> Bool { connection.isClosedByPeer() }

        /// The data of the next event of a name that is wanted, with its id.
        func next(
            _ name: String, where isWanted: (JSON) -> Bool = { _ in true }
        ) throws -> (id: String?, data: JSON) {
            let deadline = ContinuousClock.now + .seconds(60)
            // Others go on coming all the while.
            while true {
                try #require(ContinuousClock.now < deadline, "no \(name) that is wanted")
                let block = try #require(connection.readBlock(), "it has ended before \(name)")
                let lines = block.split(separator: "\n").map(String.init)
                guard lines.contains("event: \(name)") else { continue }
                func value(_ field: String) -> String? {
                    lines.first { $0.hasPrefix("\(field): ") }.map {
                        String($0.dropFirst(field.count + 2))
                    }
                }
                let data = try JSON(try #require(value("data")))
                if isWanted(data) { return (value("id"), data) }
            }
        }
    }
}
