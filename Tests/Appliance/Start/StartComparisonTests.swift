import AppendLog
import Foundation
import Testing

@testable import Appliance
@testable import Vocabulary

/// The rules of the comparison, one by one, on values.
@Suite("Start comparison")
struct StartComparisonTests {
    static let log = LogIdentity(high: 1, low: 2)

    /// A folder in which everything fits: 10 webhooks, 8 movements, 8 transactions.
    static func sound() -> FolderState {
        var state = FolderState()
        state.identity = log
        for (id, end) in [
            (TopicID.webhookReceived, 10), (.paymentValidated, 8), (.paymentFeatures, 8),
            (.paymentScored, 8), (.paymentReview, 0), (.ledgerPosted, 8), (.deadLetter, 2),
        ] as [(TopicID, Int64)] {
            state.topics[id] = FolderState.TopicState(start: .zero, end: Offset(end))
            state.marks[id] = FolderState.Mark(end: Offset(end), holds: true)
        }
        state.cursors = [
            FolderState.Cursor(group: "validate", topic: .webhookReceived, next: Offset(10)),
            FolderState.Cursor(group: "score", topic: .paymentValidated, next: Offset(8)),
        ]
        state.derived = [
            FolderState.Derivation(
                producer: "validate", input: .webhookReceived, output: .paymentValidated,
                lastSource: Offset(9)),
            FolderState.Derivation(
                producer: "score", input: .paymentValidated, output: .paymentFeatures,
                lastSource: Offset(7)),
            FolderState.Derivation(
                producer: "score", input: .paymentValidated, output: .paymentScored,
                lastSource: Offset(7)),
        ]
        var ledger = FolderState.FoundLedger()
        ledger.point = LedgerPoint(
            positions: ["payment.scored": 8, "payment.review": 0], places: [:], head: 8, hash: [7],
            logs: [log.description], next: 9)
        ledger.hashOfPublished = "07"
        state.ledger = .found(ledger)
        state.published = FolderState.Published(id: 8, hash: "07")
        return state
    }

    static func ledger(_ change: (inout FolderState.FoundLedger) -> Void) -> FolderState {
        var state = sound()
        guard case .found(var ledger) = state.ledger else { return state }
        change(&ledger)
        state.ledger = .found(ledger)
        return state
    }

    static func with(_ change: (inout FolderState) -> Void) -> FolderState {
        var state = sound()
        change(&state)
        return state
    }

    /// An older ledger: four transactions, at half of the scored.
    static func older(_ change: (inout FolderState.FoundLedger) -> Void = { _ in }) -> FolderState {
        ledger {
            $0.point.head = 4
            $0.point.next = 5
            $0.point.hash = [4]
            $0.point.positions["payment.scored"] = 4
            $0.hashOfPublished = nil
            $0.publishedHashOfHead = "04"
            change(&$0)
        }
    }

    struct Refused: CustomTestStringConvertible {
        var what: String
        var state: FolderState
        /// Words of its reason.
        var says: String
        var testDescription: String { what }
    }

    static let refused = [
        Refused(
            what: "a ledger without its position in what it books",
            state: ledger { $0.point.positions["payment.scored"] = nil },
            says: "not its position in payment.scored"),
        Refused(
            what: "a ledger that does not know its log",
            state: ledger { $0.point.logs = [] }, says: "not the name of the log"),
        Refused(
            what: "a ledger without the note of its end",
            state: ledger { $0.point.next = nil }, says: "not the note of its last transaction"),
        Refused(
            what: "a ledger with people's decisions and no position in them",
            state: ledger {
                $0.point.places = [0: 4]
                $0.point.positions["payment.review"] = nil
            }, says: "not its position in payment.review"),
        Refused(
            what: "an input that ends before what was derived from it",
            state: with { $0.topics[.webhookReceived]?.end = Offset(9); $0.cursors = [] },
            says: "which ends at 9"),
        Refused(
            what: "a topic whose beginning is gone",
            state: with {
                $0.topics[.paymentFeatures]?.start = Offset(3)
                $0.topics[.paymentFeatures]?.begins = .noted(.zero)
            }, says: "payment.features begins at offset 3"),
        Refused(
            what: "a beginning that is gone with the checkpoint, known by the mark",
            state: with {
                $0.topics[.paymentFeatures]?.start = Offset(3)
                $0.topics[.paymentFeatures]?.begins = .unknown
                $0.marks[.paymentFeatures]?.start = Offset(2)
            }, says: "what lay before 2"),
        Refused(
            what: "a beginning that nothing says anything of",
            state: with {
                $0.topics[.paymentFeatures]?.start = Offset(3)
                $0.topics[.paymentFeatures]?.begins = .unknown
                $0.marks[.paymentFeatures] = nil
            }, says: "what lay before 0"),
        Refused(
            what: "a payment.review that is newer than the rest",
            state: ledger { $0.lostReview = "evt_9" }, says: "of evt_9, and no webhook"),
        Refused(
            what: "a ledger.posted that is newer than the rest", state: older { $0.firstLost = 7 },
            says: "of transaction 7 nothing tells"),
        Refused(
            what: "a source of another event", state: with { $0.derived[0].isOfSource = false },
            says: "different events at offset 9"),
        Refused(
            what: "a cursor beyond its topic", state: with { $0.cursors[0].next = Offset(11) },
            says: "validate has read webhook.received up to offset 11"),
        Refused(
            what: "a cursor before its topic's beginning",
            state: with {
                $0.topics[.webhookReceived]?.start = Offset(4)
                $0.cursors[0].next = Offset(3)
            },
            says: "what lies between is gone"),
        Refused(
            what: "webhooks that nobody had read",
            state: with { $0.marks[.webhookReceived]?.end = Offset(12) },
            says: "nothing else holds what is missing"),
        Refused(
            what: "dead letters that are gone",
            state: with { $0.marks[.deadLetter]?.end = Offset(3) },
            says: "dead.letter ends at offset 2 and had come to 3"),
        Refused(
            what: "a topic with another history",
            state: with { $0.marks[.paymentFeatures]?.holds = false }, says: "another one"),
        Refused(
            what: "features that cannot be derived again",
            state: with {
                $0.marks[.paymentFeatures]?.end = Offset(9)
                $0.derived[1].lastSource = Offset(3)
                $0.topics[.paymentValidated]?.start = Offset(5)
            }, says: "begins at 5"),
        Refused(
            what: "damage in what a stage has still to read",
            state: with { $0.unreadable[.paymentScored] = "byte 7 of it" },
            says: "payment.scored is damaged where it has still to be read: byte 7 of it"),
        Refused(
            what: "a damaged ledger", state: with { $0.ledger = .malformed("page 7") },
            says: "damaged: page 7"),
        Refused(
            what: "a ledger of another log", state: ledger { $0.point.logs = ["ab"] },
            says: "do not belong together"),
        Refused(
            what: "a ledger whose end is cut off", state: ledger { $0.point.head = 6 },
            says: "its end is cut off"),
        Refused(
            what: "a ledger that is ahead of the log",
            state: ledger { $0.point.positions["payment.scored"] = 9 }, says: "up to offset 9"),
        Refused(
            what: "a ledger older than what retention has kept",
            state: {
                var state = older()
                state.topics[.paymentScored]?.start = Offset(5)
                return state
            }(), says: "what lies between was removed"),
        Refused(
            what: "a ledger of another history", state: ledger { $0.hashOfPublished = "08" },
            says: "different histories"),
        Refused(
            what: "a ledger that has booked another batch",
            state: ledger { $0.strangers = [.paymentScored] },
            says: "payment.scored before offset 8 is not the one that the ledger has booked"),
        Refused(
            what: "an older ledger of another history",
            state: older { $0.publishedHashOfHead = "05" }, says: "different histories"),
        Refused(
            what: "an older ledger without its place among people's decisions",
            state: older { $0.hasDecisionsToCome = true }, says: "people decided in between"),
        Refused(
            what: "a ledger cut off with its positions kept, of a release that noted no end",
            state: older { $0.point.next = nil; $0.point.logs = []; $0.firstLost = 5 },
            says: "its end is cut off"),
    ]

    @Test("refuses with the reason", arguments: refused)
    func refuses(row: Refused) {
        guard case .refuse(let refusal) = StartComparison.verdict(of: row.state) else {
            Issue.record("\(row.what) starts")
            return
        }
        #expect(refusal.reason.contains(row.says), "\(refusal)")
    }

    @Test("booking every webhook again is advised only where every webhook is known to be there")
    func remedies() throws {
        let whole = [
            Self.with { $0.marks[.deadLetter]?.end = Offset(3) },
            Self.ledger { $0.point.head = 6 }, Self.older { $0.hasDecisionsToCome = true },
            Self.with { $0.unreadable[.paymentValidated] = "byte 7 of it" },
        ]
        let doubtful = [
            Self.with { $0.marks[.webhookReceived]?.end = Offset(12) },
            Self.with { $0.marks[.webhookReceived]?.holds = false },
            Self.with { $0.topics[.webhookReceived]?.end = Offset(9); $0.cursors = [] },
            Self.with { $0.cursors[0].next = Offset(11) },
            Self.with { $0.unreadable[.webhookReceived] = "byte 7 of it" },
            Self.with { $0.derived[0].isOfSource = false },
            Self.ledger { $0.point.positions["payment.scored"] = 9 },
            Self.ledger { $0.strangers = [.paymentReview] },
            Self.ledger { $0.hashOfPublished = "08" },
            Self.ledger { $0.lostReview = "evt_9" },
            Self.older { $0.firstLost = 7 },
            Self.older { $0.publishedHashOfHead = "05" },
            Self.with { $0.ledger = .malformed("page 7") },
            Self.with { $0.ledger = .malformed("page 7"); $0.marks[.webhookReceived] = nil },
            Self.with {
                $0.ledger = .malformed("page 7")
                $0.topics[.webhookReceived]?.start = Offset(2)
                $0.topics[.webhookReceived]?.begins = .noted(Offset(2))
            },
        ]
        for (states, isAdvised) in [(whole, true), (doubtful, false)] {
            for (number, state) in states.enumerated() {
                let refusal = try #require(throws: StartRefusal.self) { try plan(state) }
                #expect(
                    refusal.remedy.contains("move everything") == isAdvised,
                    "\(number): \(refusal)")
                #expect(refusal.remedy.hasPrefix("Restore the whole folder from its newest backup"))
            }
        }
    }

    @Test("a file that may not be read is given back; only damage wants a restore", arguments: [
        (EACCES, true), (EPERM, true), (EIO, false), (ENOENT, false),
    ])
    func rights(code: Int32, isOfRights: Bool) {
        let error = DiskError(operation: .open, path: "/data/log/checkpoint", code: code)
        let refusal = StartRefusal(LogError.disk(error))
        #expect("\(refusal)".contains("chown") == isOfRights, "\(refusal)")
        #expect("\(refusal)".contains("Restore the whole folder") == !isOfRights, "\(refusal)")
        #expect(refusal.reason.contains("/data/log/checkpoint"))
    }

    @Test("a folder in which everything fits starts, with nothing to make up for")
    func sound() throws {
        let plan = try plan(Self.sound())
        #expect(plan.rewinds.isEmpty)
        #expect(plan.notes.isEmpty)
    }

    @Test("a beginning that retention has noted starts, and so does one of an earlier release")
    func retained() throws {
        for (begins, mark) in [
            (KnownBeginning.noted(Offset(3)), Offset?.none), (.noted(Offset(3)), .zero),
            (.noted(.zero), Offset(3)), (.notNoted, nil), (.unknown, Offset(3)),
        ] {
            let state = Self.with {
                $0.topics[.paymentFeatures]?.start = Offset(3)
                $0.topics[.paymentFeatures]?.begins = begins
                $0.marks[.paymentFeatures]?.start = mark
            }
            #expect(try plan(state).notes.isEmpty, "\(begins) \(String(describing: mark))")
        }
    }

    @Test("an older ledger, lost features and a lost ledger.posted are caught up with")
    func catchesUp() throws {
        #expect(try plan(Self.older()).notes.first?.contains("books the rest again") == true)
        let missing = Self.with { $0.ledger = .found(FolderState.FoundLedger()) }
        #expect(try plan(missing).notes.count == 1)

        let features = Self.with {
            $0.marks[.paymentFeatures]?.end = Offset(9)
            $0.derived[1].lastSource = Offset(3)
        }
        #expect(try plan(features).rewinds == ["score": Offset(4)])

        let posted = Self.with {
            $0.topics[.ledgerPosted] = nil
            $0.published = nil
        }
        #expect(try plan(posted).notes.first?.contains("publishes it again") == true)
        #expect(try plan(posted).publishesAgain)
        #expect(try !plan(features).publishesAgain)
    }

    @Test(
        "a snapshot of another log, from ahead, or of another history is left aside with a warning")
    func snapshots() throws {
        func origin(_ log: LogIdentity, _ next: Int64, _ checksum: UInt32) -> SnapshotOrigin? {
            var bytes = [log.high, log.low, UInt64(next), UInt64(checksum)].flatMap { number in
                (0..<8).map { UInt8(truncatingIfNeeded: number >> (56 - 8 * UInt64($0))) }
            }
            bytes.removeLast(0)
            return SnapshotOrigin(bytes)
        }
        for (what, found, notes) in [
            ("its own", origin(Self.log, 6, 77), 0), ("another's", origin(.random(), 6, 77), 1),
            ("from ahead", origin(Self.log, 11, 77), 1),
            ("of another history", origin(Self.log, 6, 78), 1),
        ] {
            let origin = try #require(found)
            let state = Self.with { $0.gate = .found(origin, checksumInLog: 77) }
            #expect(try plan(state).notes.count == notes, "\(what)")
        }
    }

    @Test("a damaged snapshot is told, and what its loss makes the scores forget lasts")
    func damagedSnapshots() throws {
        let whole = Self.with { $0.features = .damaged }
        #expect(
            try plan(whole).notes == [
                "the snapshot in features/ is damaged; it is made again from the log"
            ])
        #expect(try plan(whole).lasting.isEmpty, "the log has all that it was made of")
        // Retention has removed what the snapshot stood for.
        func retained(_ features: FolderState.SnapshotState) -> FolderState {
            Self.with {
                $0.topics[.paymentValidated]?.start = Offset(2)
                $0.topics[.paymentValidated]?.begins = .noted(Offset(2))
                $0.features = features
            }
        }
        for lost in [FolderState.SnapshotState.damaged, .missing] {
            let lasting = try plan(retained(lost)).lasting
            #expect(lasting.count == 1)
            #expect(lasting.first?.contains("payment.validated begins at offset 2") == true)
        }
    }

    private func plan(_ state: FolderState) throws -> StartPlan {
        switch StartComparison.verdict(of: state) {
        case .proceed(let plan): return plan
        case .refuse(let refusal): throw refusal
        }
    }
}
