import Foundation
import Testing

@testable import Appliance
@testable import Vocabulary

/// `docs/EVENTS.md` tells a merchant what to subscribe to; an event that is missing there is money
/// that nobody tells of.
@Suite("The events to subscribe to")
struct SubscriptionTests {
    private static func page() throws -> String {
        let path = FeatureFixture.repository.appending(path: "docs/EVENTS.md")
        return String(decoding: try Data(contentsOf: path), as: UTF8.self)
    }

    /// The lines of the page that are nothing but an event's name.
    private static func listed() throws -> [String] {
        try page().split(separator: "\n").map(String.init).filter { line in
            line.contains(".") && line.allSatisfy { $0.isLowercase || $0 == "_" || $0 == "." }
        }
    }

    @Test("are all that Validate handles")
    func complete() throws {
        #expect(SubscribedEvents.names == (try Self.listed()).sorted())
        let handled = Set(
            StripeEvent.HandledType.allCases.map(\.rawValue).filter { !$0.hasPrefix("tillbox.") })
        #expect(handled == Set(SubscribedEvents.names).union(SubscribedEvents.unnamed))
        let page = try Self.page()
        for type in SubscribedEvents.unnamed { #expect(page.contains("`\(type)`"), "\(type)") }
    }

    @Test("are the same in the list and in the call that can be pasted")
    func pasted() throws {
        let pasted = try Self.page().split(separator: "\n")
            .filter { $0.hasPrefix("enabled_events[]=") }
        // Every line but the last ends in `&`: curl joins the lines of a body without one.
        #expect(pasted.dropLast().allSatisfy { $0.hasSuffix("&") })
        #expect(pasted.last?.hasSuffix("&") == false)
        let names = pasted.map {
            String($0.dropFirst("enabled_events[]=".count)).replacing("&", with: "")
        }
        #expect(try names == Self.listed())
        #expect(Set(names).count == names.count)
    }
}
