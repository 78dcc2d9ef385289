import AppendLog
import Foundation
import TestSupport
import Testing

@testable import Appliance
@testable import Console
@testable import Daemon
@testable import Vocabulary

@Suite("The description of the admin API")
struct OpenAPITests {
    private static func document(_ rules: [AdminRoutes.Rule]) throws -> [String: Any] {
        var writer = JSONWriter()
        OpenAPIDocument(rules: rules).encode(into: &writer)
        let read = try JSONSerialization.jsonObject(with: Data(writer.bytes))
        return try #require(read as? [String: Any])
    }

    @Test("it has every route for programs, and none more, each with its role")
    func complete() async throws {
        let folder = try TemporaryFolder()
        let daemon = try StartFixture(folder.file("data")).start()
        let rules = daemon.adminRoutes(daemon.liveBoard()).rules
        #expect(OpenAPIDocument(rules: rules).faults.isEmpty)
        let paths = try #require(try Self.document(rules)["paths"] as? [String: [String: Any]])
        var described: Set<AdminRoutes.Rule> = []
        for (path, operations) in paths {
            for (method, operation) in operations {
                let operation = try #require(operation as? [String: Any])
                let words = (operation["description"] as? String)?.split(separator: " ").last
                let role = words.flatMap { Console.Role(rawValue: String($0.dropLast())) }
                let own = path.replacing("{", with: ":").replacing("}", with: "")
                described.insert(.init(method: method.uppercased(), path: own, needs: role))
                let isOpen = (operation["security"] as? [Any])?.isEmpty
                #expect(isOpen == (role == nil), "\(method) \(path)")
            }
        }
        #expect(described == Set(rules.filter { OpenAPIDocument.isProgrammed($0.path) }))
        await daemon.log.close()
    }

    @Test("a route that nobody described is told of, and so is a description of none")
    func faults() {
        let rules = [AdminRoutes.Rule(method: "GET", path: "/api/v1/new", needs: .viewer)]
        let document = OpenAPIDocument(rules: rules, descriptions: [DescribedRoutes.all[0]])
        #expect(
            document.faults == ["not described: GET /api/v1/new", "no such route: GET /healthz"])
        let page = AdminRoutes.Rule(method: "GET", path: "/", needs: nil)
        #expect(OpenAPIDocument(rules: [page], descriptions: []).faults.isEmpty)
    }

    @Test("every name that it refers to is there, and every operation has a name of its own")
    func references() throws {
        let names = Set(DescribedSchemas.all.map(\.0))
        #expect(names.count == DescribedSchemas.all.count)
        var writer = JSONWriter()
        let rules = DescribedRoutes.all.map {
            AdminRoutes.Rule(method: $0.method, path: $0.path, needs: .viewer)
        }
        OpenAPIDocument(rules: rules).encode(into: &writer)
        let text = String(decoding: writer.bytes, as: UTF8.self)
        let references = text.matches(of: /"#\/components\/schemas\/([A-Za-z]+)"/)
        #expect(references.count > 20)
        for reference in references { #expect(names.contains(String(reference.1))) }
        #expect(Set(DescribedRoutes.all.map(\.id)).count == DescribedRoutes.all.count)
    }
}
