import Foundation
import NIOHTTP1
import TestSupport
import Testing

@testable import Vocabulary
@testable import Warehouse

@Suite("Loading into BigQuery", .timeLimit(.minutes(1)))
struct BigQueryLoadTests {
    @Test("days are swapped in once, with their counts and sums; a second run loads nothing")
    func loadsOnce() async throws {
        let fixture = try LoadFixture()
        try fixture.files.write("2026-11-25", [100, -40])
        try fixture.files.write("2026-11-26", [9_007_199_254_740_993])
        let first = try await fixture.run()
        #expect(first.loaded.map(\.day.text) == ["2026-11-25", "2026-11-26"])
        #expect(first.loaded.map(\.rows) == [2, 1])
        #expect(first.faults == [])
        #expect(fixture.amounts == [-40, 100, 9_007_199_254_740_993])
        let jobs = fixture.stub.change { $0.jobs.count }
        let second = try await fixture.run()
        #expect(second.loaded == [])
        #expect(second.unchanged == 2)
        #expect(fixture.stub.change { $0.jobs.count } == jobs)
        #expect(fixture.stub.change { $0.tables.keys.sorted() } == ["sales", "tillbox_loads"])
    }

    @Test("a corrected day replaces its rows, and a content that comes back is loaded again")
    func correctedDay() async throws {
        let fixture = try LoadFixture()
        for amounts: [Int64] in [[100, 200], [100, 250], [100, 200], [100, 250], []] {
            try fixture.files.write("2026-11-26", amounts)
            let report = try await fixture.run()
            #expect(report.faults == [])
            #expect(report.loaded.map(\.rows) == [Int64(amounts.count)])
            #expect(fixture.amounts == amounts)
        }
    }

    @Test("another text in a row of the same figures is another content")
    func sameFigures() async throws {
        let fixture = try LoadFixture()
        try fixture.files.write("2026-11-26", [100, 200])
        _ = try await fixture.run()
        try fixture.files.write("2026-11-26", [200, 100])
        let report = try await fixture.run()
        #expect(report.loaded.count == 1)
    }

    @Test("rows that somebody changed at BigQuery are put right")
    func changedThere() async throws {
        let fixture = try LoadFixture()
        try fixture.files.write("2026-11-26", [100, 200])
        _ = try await fixture.run()
        fixture.stub.change { $0.tables["sales"]?.removeLast() }
        let report = try await fixture.run()
        #expect(report.loaded.count == 1)
        #expect(fixture.amounts == [100, 200])
    }

    @Test(
        "an answer that is lost after the work was done begins no second job",
        arguments: [
            (HTTPMethod.PUT, "upload_id"), (.POST, "/p-roject/jobs"), (.POST, "/tables"),
            (.POST, "/queries"), (.GET, "/datasets/books"),
        ])
    func lostAnswer(method: HTTPMethod, part: String) async throws {
        let fixture = try LoadFixture()
        try fixture.files.write("2026-11-26", [100, 200])
        fixture.stub.change {
            $0.faults = [
                .init(method: method, part: part, answer: nil, isCarriedOut: true)
            ]
        }
        let report = try await fixture.run()
        #expect(report.faults == [])
        #expect(fixture.amounts == [100, 200])
        #expect(fixture.stub.change { $0.jobs.count } == 2)
        #expect(fixture.stub.change { $0.journal.count } == 1)
        #expect(fixture.stub.change { $0.faults.isEmpty })
    }

    @Test("on 409 the first job's outcome counts: a failed one makes room for the next name")
    func failedBefore() async throws {
        let fixture = try LoadFixture()
        try fixture.files.write("2026-11-26", [100])
        fixture.stub.change { $0.jobFailures = [("load", "invalid")] }
        let error = await #expect(throws: BigQueryError.self) { try await fixture.run() }
        guard case .job(let id, "invalid", _) = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(id.hasSuffix("_0"))
        let report = try await fixture.run()
        #expect(report.loaded.count == 1)
        let jobs = fixture.stub.change { $0.jobs.keys.sorted() }
        #expect(jobs.filter { $0.contains("_load_") }.map { $0.suffix(2) } == ["_0", "_1"])
        #expect(jobs.filter { $0.contains("_swap_") }.map { $0.suffix(2) } == ["_0"])
    }

    @Test(
        "a job that fails with what passes is tried again under the next name",
        arguments: ["load", "swap"], ["backendError", "rateLimitExceeded", "internalError"])
    func passingFailure(kind: String, reason: String) async throws {
        let fixture = try LoadFixture()
        try fixture.files.write("2026-11-26", [100])
        fixture.stub.change { $0.jobFailures = [(kind, reason), (kind, reason)] }
        let report = try await fixture.run()
        #expect(report.loaded.count == 1)
        let jobs = fixture.stub.change { $0.jobs.keys.filter { $0.contains("_\(kind)_") }.sorted() }
        #expect(jobs.map { $0.suffix(2) } == ["_0", "_1", "_2"])
        #expect(fixture.amounts == [100])
    }

    @Test("a job that fails and fails is given up with its last words")
    func alwaysFails() async throws {
        let fixture = try LoadFixture()
        try fixture.files.write("2026-11-26", [100])
        fixture.stub.change {
            $0.jobFailures = Array(repeating: ("load", "backendError"), count: 20)
        }
        let error = await #expect(throws: BigQueryError.self) { try await fixture.run() }
        guard case .attemptsUsedUp(_, 6, let last) = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(last.contains("backendError"))
        #expect(fixture.rows == [])
    }

    @Test("a load that died between its two jobs is finished by the next, without a second load")
    func diedBetween() async throws {
        let fixture = try LoadFixture()
        try fixture.files.write("2026-11-26", [100])
        fixture.stub.change { $0.jobFailures = [("swap", "accessDenied")] }
        await #expect(throws: BigQueryError.forbidden(message: "it went wrong")) {
            try await fixture.run()
        }
        #expect(fixture.rows == [])
        #expect(try await fixture.run().loaded.count == 1)
        let jobs = fixture.stub.change { $0.jobs.keys.sorted() }
        #expect(jobs.filter { $0.contains("_load_") }.count == 1)
    }

    @Test("a staging table that is gone is loaded again")
    func stagingGone() async throws {
        let fixture = try LoadFixture()
        try fixture.files.write("2026-11-26", [100])
        fixture.stub.change { $0.jobFailures = [("swap", "accessDenied")] }
        await #expect(throws: BigQueryError.self) { try await fixture.run() }
        fixture.stub.change { state in
            for name in state.tables.keys where name.contains("__") { state.tables[name] = nil }
        }
        #expect(try await fixture.run().loaded.count == 1)
        #expect(fixture.amounts == [100])
    }

    @Test("a row that gets lost on the way keeps the day as it was")
    func lostRow() async throws {
        let fixture = try LoadFixture()
        try fixture.files.write("2026-11-26", [7])
        _ = try await fixture.run()
        try fixture.files.write("2026-11-26", [100, 200])
        fixture.stub.change { $0.rowsLost = 1 }
        let error = await #expect(throws: BigQueryError.self) { try await fixture.run() }
        #expect(error?.description.contains("1 row instead of 2") == true)
        #expect(fixture.amounts == [7])
    }

    @Test("a job is waited for, by its name and location")
    func waits() async throws {
        let fixture = try LoadFixture()
        try fixture.files.write("2026-11-26", [100])
        fixture.stub.change { $0.looks = 3 }
        #expect(try await fixture.run().loaded.count == 1)
        let looks = fixture.stub.requests(with: "/v2/projects/p-roject/jobs/tillbox_")
        #expect(looks.count == 6)
        #expect(looks.allSatisfy { $0.hasSuffix("location=EU") })
    }

    @Test("pieces that arrive in part are gone on with where they ended")
    func partialPieces() async throws {
        let fixture = try LoadFixture()
        try fixture.files.write("2026-11-26", [100, 200, 300])
        fixture.stub.change { $0.pieceBytesKept = 50 }
        #expect(try await fixture.run().loaded.first?.rows == 3)
        #expect(fixture.stub.requests(with: "PUT").count > 2)
        #expect(fixture.amounts == [100, 200, 300])
    }

    @Test("an upload that is forgotten is begun anew")
    func forgottenUpload() async throws {
        let fixture = try LoadFixture()
        try fixture.files.write("2026-11-26", [100])
        fixture.stub.change {
            $0.faults = [
                .init(method: .PUT, part: "upload", answer: BigQueryStub.error(410, "gone", "gone"))
            ]
        }
        #expect(try await fixture.run().loaded.count == 1)
        #expect(fixture.stub.requests(with: "POST https://stub.test/upload").count == 2)
    }

    @Test("an upload goes on nowhere else than where the API is")
    func strangeSession() async throws {
        let fixture = try LoadFixture()
        try fixture.files.write("2026-11-26", [100])
        let elsewhere = BigQueryAnswer(status: 200, location: "https://evil.test/upload?id=1")
        fixture.stub.change {
            $0.faults = [.init(method: .POST, part: "/upload", answer: elsewhere)]
        }
        await #expect(throws: BigQueryError.self) { try await fixture.run() }
        #expect(fixture.stub.requests(with: "evil.test") == [])
    }

    @Test("a dataset that is elsewhere than the settings say is refused before anything is sent")
    func wrongLocation() async throws {
        var fixture = try LoadFixture()
        fixture.place.location = "US"
        try fixture.files.write("2026-11-26", [100])
        await #expect(
            throws: BigQueryError.wrongLocation(dataset: "books", is: "EU", wanted: "US")
        ) { try await fixture.run() }
        #expect(fixture.stub.requests.count == 1)
        fixture.place.location = "eu"
        #expect(try await fixture.run().loaded.count == 1)
    }

    @Test("a dataset that is not there is named, with the keys to look at")
    func noDataset() async throws {
        var fixture = try LoadFixture()
        fixture.place.dataset = "nowhere"
        try fixture.files.write("2026-11-26", [100])
        let error = await #expect(throws: BigQueryError.self) { try await fixture.run() }
        #expect(error?.description.contains("no dataset nowhere in p-roject") == true)
        #expect(error?.description.contains("bigquery.dataset") == true)
    }

    @Test("a day whose files are not fit stops no other and is a fault of the report")
    func unfitDay() async throws {
        let fixture = try LoadFixture()
        try fixture.files.write("2026-11-25", [1])
        try fixture.files.write(
            "2026-11-26", lines: [#"{"dt":"2026-11-26","amount":1.5,"currency":"usd"}"#],
            sums: [("usd", 1, 1)])
        try fixture.files.write("2026-11-27", [3])
        let report = try await fixture.run()
        #expect(report.loaded.map(\.day.text) == ["2026-11-25", "2026-11-27"])
        #expect(report.faults.count == 1)
        #expect(report.faults.first?.contains("line 1: amount is no INT64") == true)
        #expect(fixture.amounts == [1, 3])
    }

    @Test("a table that is made has a column for each of ours, and one that lacks some gets them")
    func tableForms() throws {
        let wanted = BigQueryStub.table.bigQueryColumns
        #expect(try BigQueryClient.change(of: "t", from: wanted, to: wanted) == nil)
        let change = try BigQueryClient.change(of: "t", from: [wanted[0]], to: wanted)
        #expect(change?.map(\.name) == ["dt", "amount", "currency"])
        // Old rows have nothing in it.
        #expect(change?.map(\.isRequired) == [true, false, false])
        var other = wanted
        other[1].kind = .text
        #expect(throws: BigQueryError.self) {
            try BigQueryClient.change(of: "t", from: other, to: wanted)
        }
        let further = BigQueryColumn(name: "x", kind: .text, isRequired: true, about: "")
        #expect(throws: BigQueryError.self) {
            try BigQueryClient.change(of: "t", from: wanted + [further], to: wanted)
        }
    }
}
