import AppendLog
import Foundation
import TestSupport
import Testing

@testable import Appliance
@testable import Daemon
@testable import Vocabulary

/// A start looks at a sealed segment again only where its file is another version than the one that
/// an earlier start has seen.
@Suite("A start that knows the log's segments")
struct KnownSegmentTests {
    /// A folder whose segments are all known, in a place that no copy has touched since.
    private static func known(_ root: TemporaryFolder) async throws -> StartFixture {
        let fixture = StartFixture(root.file("box"))
        let daemon = try fixture.start()
        for first in stride(from: 0, to: 24, by: 6) {
            try await fixture.admit(first..<first + 6, daemon)
            try await fixture.process(daemon)
        }
        try await fixture.stop(daemon)
        try await eventually("every segment was sealed long ago") {
            try logs(in: fixture.path).allSatisfy { try PosixDisk().version(of: $0) != nil }
        }
        try await fixture.stop(try fixture.start())
        let sealed = try logs(in: fixture.path).filter { $0.contains("webhook.received-0") }.count
        try #require(sealed > 3)
        let looks = try #require(FileManager.default.contents(atPath: looksPath(fixture)))
        try #require(looks.count == 24 + (sealed - 1) * 40)
        return fixture
    }

    private static func looksPath(_ fixture: StartFixture) -> String {
        "\(fixture.path)/log/webhook.received-0/looks"
    }

    private static func logs(in folder: String) throws -> [String] {
        try FileManager.default.subpathsOfDirectory(atPath: folder)
            .filter { $0.hasSuffix(".log") }.map { "\(folder)/\($0)" }
    }

    private static func apply(
        _ state: PartState, to part: Part, of fixture: StartFixture
    ) throws {
        try state.apply(
            to: part, of: fixture.path, older: fixture.path, newer: fixture.path,
            foreign: fixture.path)
    }

    @Test(
        "refuses one that somebody has changed where it lies, again and again",
        arguments: [
            (Part.middleSegment(.webhookReceived), PartState.cut),
            (.middleSegment(.webhookReceived), .flipped),
            (.middleSegment(.webhookReceived), .missing),
            (.middleSegment(.webhookReceived), .swapped),
            (.firstSegment(.paymentValidated), .cut),
            (.firstSegment(.paymentValidated), .flipped),
            (.firstSegment(.paymentValidated), .empty),
            (.firstSegment(.paymentValidated), .swapped),
        ])
    func changed(part: Part, state: PartState) async throws {
        let root = try TemporaryFolder()
        let fixture = try await Self.known(root)
        try Self.apply(state, to: part, of: fixture)
        let before = try fixture.contents()
        for _ in 0..<3 {
            #expect(throws: StartRefusal.self) { try fixture.start() }
        }
        #expect(try fixture.contents() == before)
    }

    @Test(
        "does without what it knew of them",
        arguments: [PartState.missing, .empty, .cut, .flipped])
    func forgotten(state: PartState) async throws {
        let root = try TemporaryFolder()
        let fixture = try await Self.known(root)
        let path = Self.looksPath(fixture)
        let whole = try #require(FileManager.default.contents(atPath: path))
        switch state {
        case .missing: try FileManager.default.removeItem(atPath: path)
        case .empty: try Data().write(to: URL(filePath: path))
        case .cut: try whole.dropLast(7).write(to: URL(filePath: path))
        default:
            var flipped = whole
            flipped[flipped.startIndex + 30] ^= 4
            try flipped.write(to: URL(filePath: path))
        }
        try await fixture.stop(try fixture.start())
        #expect(FileManager.default.contents(atPath: path) == whole)
    }
}
