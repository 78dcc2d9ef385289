import Foundation
import Testing

@testable import Appliance
@testable import Vocabulary

/// Whoever reads a verdict's reasons finds each of them in `docs/CONTRACTS.md`, and no other.
@Suite("The reasons that the contracts name")
struct DocumentedReasonsTests {
    /// One numbered section of the contracts.
    private static func section(_ number: Int) throws -> Substring {
        let path = FeatureFixture.repository.appending(path: "docs/CONTRACTS.md")
        let text = String(decoding: try Data(contentsOf: path), as: UTF8.self)
        let sections = text.split(separator: "\n## ")
        return try #require(sections.first { $0.hasPrefix("\(number). ") })
    }

    /// What stands between backticks.
    private static func quoted(_ text: Substring) -> [String] {
        let parts = text.split(separator: "`", omittingEmptySubsequences: false)
        return stride(from: 1, to: parts.count, by: 2).map { String(parts[$0]) }
    }

    @Test("are the rules of the verdicts")
    func rules() throws {
        let text = try Self.section(5)
        let start = try #require(text.range(of: "with a reason also when:")?.upperBound)
        let end = try #require(text[start...].range(of: ".")?.lowerBound)
        #expect(
            Set(Self.quoted(text[start..<end]))
                == Set(Verdicts.Rule.allCases.map(\.rawValue)))
    }

    @Test("are the eight features, in the model's order")
    func features() throws {
        let names = try Self.section(4).split(separator: "\n")
            .filter { $0.wholeMatch(of: /\| \d \|.*/) != nil }
            .map { Self.quoted($0)[0] }
        #expect(names == Feature.names)
    }

    @Test("go with the three verdicts and the one for what bears no risk")
    func verdicts() throws {
        let named = Set(Self.quoted(try Self.section(5)) + Self.quoted(try Self.section(2)))
        for verdict in [Verdict.approve, .manualReview, .block, .notScored] {
            #expect(named.contains(verdict.rawValue), "\(verdict.rawValue)")
        }
    }
}
