import Foundation
import TestSupport
import Testing

@testable import Vocabulary
@testable import Warehouse

@Suite("The warehouse's schema")
struct WarehouseSchemaTests {
    @Test("is what deploy/warehouse/schema.json says")
    func file() throws {
        let file = try Data(
            contentsOf: Repository.root.appending(path: "deploy/warehouse/schema.json"))
        let written = try JSONSerialization.jsonObject(with: file) as? NSDictionary
        let own = try JSONSerialization.jsonObject(with: Data(WarehouseSchema.document()))
        #expect(written != nil && written == own as? NSDictionary)
    }

    @Test("stands in docs/WAREHOUSE.md column by column")
    func page() throws {
        let page = try String(
            contentsOf: Repository.root.appending(path: "docs/WAREHOUSE.md"), encoding: .utf8)
        for table in WarehouseTable.all {
            let parts = page.components(separatedBy: "### `\(table.path)`\n")
            #expect(parts.count == 2, "\(table.path)")
            let chapter = parts.last?.components(separatedBy: "\n### ").first ?? ""
            for column in table.columns {
                let need = column.isRequired ? "required" : ""
                let line = "| `\(column.name)` | \(column.kind.rawValue) | \(need) | "
                    + "\(column.about) |"
                #expect(chapter.contains(line), "\(table.name).\(column.name)")
            }
        }
    }

    @Test("names each table, and in it each column, once; keys and sums are columns of it")
    func names() {
        #expect(Set(WarehouseTable.all.map(\.name)).count == WarehouseTable.all.count)
        for table in WarehouseTable.all {
            let names = table.columns.map(\.name)
            #expect(names.first == "dt" && Set(names).count == names.count)
            let wanted = table.key + table.sums.flatMap { [$0.column, $0.currency] }
            #expect(Set(wanted).isSubset(of: names), "\(table.name)")
        }
    }

    @Test(
        "moments are written as the system's calendar has them",
        arguments: [
            0, 1, 86_399, 86_400, 951_782_399, 951_782_400, 1_709_164_800, 1_709_251_199,
            1_767_225_599, 1_767_225_600, 4_102_444_800, 253_402_300_799,
        ] as [Int64])
    func moments(seconds: Int64) {
        let instant = Instant(seconds: seconds)
        #expect(UTCText.second(instant) == instant.rfc3339)
        #expect(UTCText.day(UTCText.day(of: instant)) == instant.rfc3339.prefix(10))
        #expect(UTCText.day(named: instant.rfc3339.prefix(10)) == UTCText.day(of: instant))
        #expect(
            UTCText.millisecond(seconds * 1000 + 7) == instant.rfc3339.dropLast() + ".007Z")
    }

    @Test(
        "an account's name says its kind and whose it is",
        arguments: [
            ("processor:stripe", "processor", nil, nil),
            ("processor:stripe:acct_1", "processor", nil, "acct_1"),
            ("bank:usd", "bank", nil, nil), ("bank:usd:acct_1", "bank", nil, "acct_1"),
            ("fees:stripe:acct_1", "fees", nil, "acct_1"),
            ("charges:bank", "charges", nil, nil),
            ("merchant:default:payable", "payable", "default", nil),
            ("merchant:a:b:refund_due", "refund_due", "a:b", nil),
            ("connect:acct_1:transfers", "transfers", nil, "acct_1"),
            ("income:application_fees", "income", nil, nil), ("what:else", "other", nil, nil),
        ] as [(String, String, String?, String?)])
    func accounts(name: String, kind: String, merchant: String?, account: String?) {
        let parts = AccountParts(of: name)
        #expect(parts.kind == kind && parts.merchant == merchant)
        #expect(parts.stripeAccount == account)
    }
}
