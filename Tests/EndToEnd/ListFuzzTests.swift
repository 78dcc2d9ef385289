import AppendLog
import Foundation
import TestSupport
import Testing

/// Every list of the admin API, asked with several filters at once, beside the same rows taken
/// whole and filtered by hand.
@Suite("Lists of a running daemon against a naive model", .serialized, .timeLimit(.minutes(3)))
struct ListFuzzTests {
    private static let seed: UInt64 = 11
    private static let rounds = 150

    /// One way to narrow a list: a parameter, and which rows it leaves.
    private struct Filter {
        var parameter: String
        var value: String
        var leaves: (JSON) -> Bool

        var query: String {
            let plain = CharacterSet.alphanumerics.union(CharacterSet(charactersIn: "-._"))
            return "\(parameter)=\(value.addingPercentEncoding(withAllowedCharacters: plain) ?? "")"
        }
    }

    private let daemon: RunningDaemon

    init() async throws {
        // A person looks at the larger ones, so that some are held.
        daemon = try await RunningDaemon(environment: [
            "TILLBOX_VERDICT_AMOUNT_LIMITS": "usd:10000,eur:10000,gbp:10000"
        ])
        #expect(try await daemon.deliver(400) == 0)
        // Letters of two reasons, so that the list of them can be narrowed.
        for number in 0..<5 {
            let good = Ask.payment("letter\(number)")
            let bad = number < 3
                ? good.replacing("\"currency\":\"usd\"", with: "\"currency\":7")
                : good.replacing("\"amount_captured\":2000", with: "\"amount_captured\":-1")
            #expect(try Ask.deliver(bad, to: daemon.webhook) == 200)
        }
        try await daemon.drained("everything is booked")
        try await eventually("everything is indexed") { [daemon] in
            try JSON(try daemon.read("/api/v1/payments?limit=1"))["index_lag"].int == 0
        }
    }

    /// All rows of a list, page by page.
    private func all(_ path: String, _ key: String, query: [String] = []) throws -> [JSON] {
        var (rows, after) = ([JSON](), [String]())
        repeat {
            let page = try JSON(
                try daemon.read("\(path)?" + (query + after).joined(separator: "&")))
            try #require(page.has(key), "\(path)?\(query): \(page)")
            rows += page[key].list
            let next = page["next"]
            let word = next.text.isEmpty && next.int >= 0 ? "\(next.int)" : next.text
            after = word.isEmpty ? [] : ["after=\(word)"]
        } while !after.isEmpty
        return rows
    }

    // MARK: Payments

    /// A filter of each kind that leaves at least the row that it was taken from.
    private static func filters(of row: JSON) -> [Filter] {
        func same(_ parameter: String, _ key: String? = nil) -> Filter? {
            let value = row[key ?? parameter].text
            guard !value.isEmpty else { return nil }
            return Filter(parameter: parameter, value: value) {
                $0[key ?? parameter].text == value
            }
        }
        typealias Comparison = (Int, Int) -> Bool
        func bound(
            _ name: String, _ key: String, _ value: Int, _ holds: @escaping Comparison
        ) -> Filter {
            Filter(parameter: name, value: "\(value)") { holds($0[key].int, value) }
        }
        let (units, created) = (row["minor_units"].int, row["created"].int)
        let equal = [
            same("movement"), same("customer"), same("last_four"), same("verdict"), same("place"),
            same("review"), same("currency"), same("merchant"), same("account"),
            same("q", "movement"), same("q", "last_four"),
            row["customer"].text.hasPrefix("cus_") ? same("q", "customer") : nil,
            decimal(row["amount"].text),
        ]
        return equal.compactMap { $0 } + [
            bound("amount", "minor_units", units, ==),
            bound("from", "created", created - 600, >=), bound("to", "created", created + 600, <=),
            bound("amount_from", "minor_units", max(0, units - 50), >=),
            bound("amount_to", "minor_units", units + 5_000, <=),
        ]
    }

    /// An amount with its decimals, which one of another currency may be alike to; nil for one
    /// without, which would be minor units.
    private static func decimal(_ text: String) -> Filter? {
        guard text.contains("."), let amount = Double(text) else { return nil }
        return Filter(parameter: "amount", value: text) { Double($0["amount"].text) == amount }
    }

    @Test("payments: one to five filters at once leave exactly what each of them leaves")
    func payments() async throws {
        var generator = SeededGenerator(seed: Self.seed)
        let all = try all("/api/v1/payments", "payments", query: ["limit=1000"])
        #expect(all.count > 100)
        var sizes: [Int] = []
        for round in 0..<Self.rounds {
            let row = try #require(all.randomElement(using: &generator))
            var chosen: [Filter] = []
            for filter in Self.filters(of: row).shuffled(using: &generator)
                .prefix(Int.random(in: 1...5, using: &generator))
            where !chosen.contains(where: { $0.parameter == filter.parameter }) {
                chosen.append(filter)
            }
            let limit = [3, 17, 40, 1_000].randomElement(using: &generator) ?? 1
            let query = chosen.map(\.query)
            let found = try self.all(
                "/api/v1/payments", "payments", query: query + ["limit=\(limit)"])
            let expected = all.filter { row in chosen.allSatisfy { $0.leaves(row) } }
            try #require(
                found.map { $0["movement"].text } == expected.map { $0["movement"].text },
                "round \(round): \(query) by \(limit)")
            sizes.append(found.count)
        }
        #expect(sizes.allSatisfy { $0 > 0 }, "each filter leaves the row that it was taken from")
        #expect(Set(sizes).count > 10)
        try await daemon.stop()
    }

    // MARK: The others

    @Test("records: a place, a count and a filter at once; page by page all of them, each once")
    func records() async throws {
        var generator = SeededGenerator(seed: Self.seed)
        let topics = try JSON(try daemon.read("/api/v1/topics"))["topics"].list
        for topic in topics.map({ $0["topic"].text }) {
            let path = "/api/v1/topics/\(topic)/records"
            let all = try scanned(path, from: 0, count: 500, filter: nil)
            for round in 0..<Self.rounds / 10 where !all.isEmpty {
                let row = try #require(all.randomElement(using: &generator))
                let from = Int.random(in: 0...all.count, using: &generator)
                let count = Int.random(in: 1...50, using: &generator)
                let isKey = Bool.random(using: &generator) && !row["key"].text.isEmpty
                let name = isKey ? "key" : "header.event-id"
                let value = (isKey ? row["key"] : row["headers"]["event-id"]).text
                let found = try scanned(path, from: from, count: count, filter: "\(name):\(value)")
                let expected = all.filter { record in
                    let held = isKey ? record["key"] : record["headers"]["event-id"]
                    return record["offset"].int >= from && held.text == value
                }
                try #require(
                    found.map { $0["offset"].int } == expected.map { $0["offset"].int },
                    "round \(round): \(path) from \(from) by \(count) with \(name):\(value)")
            }
        }
        try await daemon.stop()
    }

    /// Records of a topic from an offset to its end, in pages.
    private func scanned(
        _ path: String, from first: Int, count: Int, filter: String?
    ) throws -> [JSON] {
        var (rows, from, end) = ([JSON](), first, Int.max)
        let plain = CharacterSet.alphanumerics.union(CharacterSet(charactersIn: "-._"))
        let filter = filter.map {
            "&filter=\($0.addingPercentEncoding(withAllowedCharacters: plain) ?? "")"
        }
        while from < end {
            let page = try JSON(
                try daemon.read("\(path)?from=\(from)&count=\(count)\(filter ?? "")"))
            try #require(page["next"].int > from || page["next"].int == page["end"].int, "\(page)")
            rows += page["records"].list
            (from, end) = (page["next"].int, page["end"].int)
        }
        return rows
    }

    @Test("entries, transactions, reviews and letters: any page size lists the same, from any row")
    func pages() async throws {
        var generator = SeededGenerator(seed: Self.seed)
        for account in try JSON(try daemon.read("/api/v1/accounts"))["accounts"].list {
            try expectPages(
                "/api/v1/accounts/\(account["account"].text)/entries", "entries", by: "transaction",
                query: ["currency=\(account["currency"].text)"], using: &generator)
        }
        try expectPages(
            "/api/v1/transactions", "transactions", by: "id", query: [], using: &generator)
        try expectPages("/api/v1/reviews", "reviews", by: "movement", query: [], using: &generator)
        let letters = try all("/api/v1/dead-letters", "dead_letters")
        #expect(letters.count >= 5)
        try expectPages(
            "/api/v1/dead-letters", "dead_letters", by: "offset", query: [], using: &generator)
        let reasons = Set(letters.map { $0["reason"].text })
        for reason in reasons {
            let found = try all(
                "/api/v1/dead-letters", "dead_letters", query: ["reason=\(reason)", "limit=2"])
            #expect(
                found.map { $0["offset"].int }
                    == letters.filter { $0["reason"].text == reason }.map { $0["offset"].int })
        }
        try await daemon.stop()
    }

    private func expectPages(
        _ path: String, _ key: String, by name: String, query: [String],
        using generator: inout SeededGenerator
    ) throws {
        func names(_ rows: [JSON]) -> [String] { rows.map { "\($0[name])" } }
        let whole = names(try all(path, key, query: query + ["limit=500"]))
        #expect(Set(whole).count == whole.count, "\(path) lists a row twice")
        let odd = Int.random(in: 1...9, using: &generator)
        for limit in [1 + whole.count / 7, odd + whole.count / 20] {
            let paged = names(try all(path, key, query: query + ["limit=\(limit)"]))
            #expect(paged == whole, "\(path) by \(limit)")
        }
    }
}
