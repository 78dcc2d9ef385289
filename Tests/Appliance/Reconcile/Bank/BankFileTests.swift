import Testing

@testable import Reconcile
@testable import Vocabulary

@Suite("A bank's files")
struct BankFileTests {
    private func read(_ text: String, _ mapping: String? = nil) throws -> [BankStatement] {
        let mapping = try mapping.map { try BankCSVMapping(json: Array($0.utf8)) }
        return try BankFile.statements(in: Array(text.utf8), mapping: mapping)
    }

    private func refusal(_ text: String, _ mapping: String? = nil) -> String? {
        do {
            _ = try read(text, mapping)
            return nil
        } catch {
            return "\(error)"
        }
    }

    private func days(_ statement: BankStatement) -> String {
        "\(statement.days.lowerBound) \(statement.days.upperBound)"
    }

    /// `2026-10-01 100050 STRIPE`
    private func lines(_ statement: BankStatement) -> [String] {
        statement.entries.map { "\($0.day) \($0.amount.rawValue) \($0.text)" }
    }

    @Test("camt.053: what is booked, a batch by its parts, what is announced left out")
    func camt() throws {
        let statement = try #require(try read(BankFiles.camt).first)
        #expect(statement.account == "DE02120300000000202051")
        #expect(statement.currency.code == "eur" && statement.format == "camt.053")
        #expect(statement.number == "S1")
        let parts = "<Id>S1</Id><ElctrncSeqNb>7</ElctrncSeqNb><StmtPgntn><PgNb>2</PgNb></StmtPgntn>"
        let page = try read(BankFiles.camt.replacing("<Id>S1</Id>", with: parts))
        #expect(page.map(\.number) == ["S1 7 page 2"])
        #expect(days(statement) == "2026-10-01 2026-10-02")
        #expect(statement.opening == MinorUnits(-10_000))
        #expect(statement.closing == MinorUnits(119_549))
        #expect(
            lines(statement) == [
                "2026-10-01 100050 po_one STRIPE & Co", "2026-10-01 30000 STRIPE two",
                "2026-10-02 -501 Kontoführung",
            ])
        #expect(statement.entries.map(\.reference) == ["REF1", "REF1", nil])
    }

    @Test("a batch whose parts do not come to its amount stays one entry")
    func camtBatch() throws {
        let text = BankFiles.camt.replacing(">300.00<", with: ">299.00<")
        let entries = try #require(try read(text).first).entries
        #expect(entries.map(\.amount.rawValue) == [130_050, -501])
        #expect(entries[0].text == "po_one STRIPE & Co STRIPE two")
    }

    @Test("a file that is cut, changed or another message is refused with what to do", arguments: [
        ("1195.49", "1195.48", "does not add up"),
        ("</BkToCstmrStmt></Document>", "", "ends within"),
        ("BkToCstmrStmt", "BkToCstmrAcctRpt", "export camt.053"),
        ("<!-- from a bank -->", "<!DOCTYPE a [<!ENTITY b \"c\">]>", "document type"),
        ("&amp;", "&other;", "reference"),
        ("<Amt Ccy=\"EUR\">5.01", "<Amt Ccy=\"USD\">5.01", "in USD"),
        ("<Amt Ccy=\"EUR\">5.01", "<Amt Ccy=\"EUR\">5.015", "no amount"),
        ("<Dt>2026-10-01</Dt></BookgDt>", "<Dt>2026-10-32</Dt></BookgDt>", "no day"),
    ])
    func camtRefused(part: String, other: String, word: String) {
        let said = refusal(BankFiles.camt.replacing(part, with: other))
        #expect(said?.contains(word) == true, "\(said ?? "it was read")")
    }

    @Test("elements that stand too deep end the reading, not the process")
    func deep() {
        let text = String(repeating: "<a>", count: 100_000)
        #expect(refusal(text)?.contains("deep") == true)
    }

    @Test("MT940: the year of a booking day, what is taken back, words between their numbers")
    func mt940() throws {
        let statement = try #require(try read(BankFiles.mt940).first)
        #expect(statement.account == "12030000/202051" && statement.format == "MT940")
        #expect(statement.number == "STARTUMS 1/1")
        #expect(days(statement) == "2025-12-31 2026-01-03")
        #expect(
            lines(statement) == [
                "2026-01-02 100050 zweite Zeile 166 GUTSCHRIFT STRIPE PAY OUT po_one STRIPE",
                "2026-01-03 -50 X//B2 Storno",
            ])
        #expect(statement.entries.map(\.reference) == ["B1", "B2"])
        #expect(statement.closing == MinorUnits(105_000))
    }

    @Test("an MT940 that is cut or wrong is refused with its line", arguments: [
        (":62F:C260103EUR1050,", ":62F:C260103EUR1051,", "does not add up"),
        (":62F:C260103EUR1050,", ":64:C260103EUR1050,", "no closing balance"),
        (":61:260103RC0,50", ":61:260103RX0,50", "line 9: "),
        (":60F:C251231EUR50,", ":60F:C251331EUR50,", "line 5: "),
    ])
    func mt940Refused(part: String, other: String, word: String) {
        let said = refusal(BankFiles.mt940.replacing(part, with: other))
        #expect(said?.contains(word) == true, "\(said ?? "it was read")")
    }

    @Test("CSV by a mapping: quotation marks, another decimal, an empty last line")
    func csv() throws {
        let statement = try #require(try read(BankFiles.csv, BankFiles.mapping).first)
        #expect(
            lines(statement) == [
                "2026-10-01 100050 STRIPE; Ltd sagt \"po_one\" in zwei Zeilen",
                "2026-10-02 -501 Bank Gebühr",
            ])
        #expect(days(statement) == "2026-10-01 2026-10-02")
        #expect(statement.opening == nil && statement.account == "DE02")
    }

    @Test("CSV in ISO 8859-1, with an amount in two columns")
    func csvInTwoColumns() throws {
        let text = "Date,In,Out,Text\n2026-10-01,10.00,,Geb\u{fc}hr\n2026-10-02,,3.50,b\n"
        let mapping = """
            {"date":"Date","credit":"In","debit":"Out","currency_is":"eur","account_is":"A",
             "text":"Text"}
            """
        let bytes = text.unicodeScalars.map { UInt8($0.value) }
        let found = try BankFile.statements(
            in: bytes, mapping: try BankCSVMapping(json: Array(mapping.utf8)))
        #expect(found.flatMap(lines) == ["2026-10-01 1000 Gebühr", "2026-10-02 -350 b"])
    }

    @Test("a mapping or a CSV that does not fit is refused with what to do", arguments: [
        ("Betrag\"", "Summe\"", "has no column Summe; it has: Buchungstag"),
        ("\"decimal\":\",\"", "\"decimal\":\".\"", "line 3: 1.000,50 is no amount"),
        ("dd.MM.yyyy", "yyyy-MM-dd", "no day written as yyyy-MM-dd"),
        ("\"currency_is\":\"EUR\",", "", "must have date"),
        ("\"skip\":1", "\"skipp\":\"1\"", "knows no skipp"),
        ("\"EUR\"", "\"EURO\"", "three letters"),
        ("\"delimiter\":\";\"", "\"delimiter\":\"\\r\"", "no quotation mark or line end"),
    ])
    func csvRefused(part: String, other: String, word: String) {
        let said = refusal(BankFiles.csv, BankFiles.mapping.replacing(part, with: other))
        #expect(said?.contains(word) == true, "\(said ?? "it was read")")
    }

    @Test("a CSV with two columns of a name that is read is refused")
    func columnTwice() {
        let said = refusal(
            "Date,Amount,Amount\n2026-10-01,1.00,2.00\n",
            #"{"date":"Date","amount":"Amount","currency_is":"eur","account_is":"A"}"#)
        #expect(said?.contains("more than one column Amount") == true, "\(said ?? "it was read")")
    }

    @Test("a CSV of more accounts than a file may have is told as that")
    func manyAccounts() {
        let lines = (0...BankLimits.statementsMax).map { "2026-10-01,1.00,A\($0)\n" }
        let said = refusal(
            "Date,Amount,Account\n" + lines.joined(),
            #"{"date":"Date","amount":"Amount","currency_is":"eur","account":"Account"}"#)
        #expect(said?.contains("more than 1000 accounts") == true, "\(said ?? "it was read")")
    }

    @Test("what is no bank's file is refused")
    func unknown() {
        #expect(refusal("hello")?.contains("--mapping") == true)
        #expect(refusal("<html></html>")?.contains("no statement") == true)
    }

    @Test("amounts are exact, or none", arguments: [
        ("1.234,56", "eur", Int64?.some(123_456)), ("1'234,5", "chf", 123_450),
        ("1 234", "jpy", 1_234), ("10,0000", "eur", 1_000), ("10,001", "eur", nil),
        ("1,5", "jpy", nil), ("1,234", "kwd", 1_234), ("-0,01", "eur", -1), ("5,00-", "eur", -500),
        ("1000.00", "eur", nil), ("1.000.00", "eur", nil), ("1.0,00", "eur", nil),
        ("1-00", "eur", nil), ("-5,00-", "eur", nil), (".000,00", "eur", nil),
        ("1.000'000,00", "eur", nil), ("12.345.678,90", "eur", 1_234_567_890),
        ("12 34 567,00", "inr", 123_456_700), ("- 5,00", "eur", -500), ("1000", "eur", 100_000),
        ("−7", "eur", -700), ("--7", "eur", nil), ("", "eur", nil), (",", "eur", nil),
        ("1,00 EUR", "eur", nil), ("99999999999999999999", "eur", nil), ("1000", "isk", 100_000),
    ])
    func amounts(text: String, code: String, expected: Int64?) throws {
        let currency = try #require(Currency(code))
        let amount = BankAmount.parse(text, decimal: ",", currency)
        #expect(amount?.rawValue == expected)
    }

    @Test("a statement goes through the API's form unchanged")
    func json() throws {
        for statement in try read(BankFiles.camt) + read(BankFiles.mt940) {
            var writer = JSONWriter()
            statement.encode(into: &writer)
            let document = JSONDocument()
            let again = try withExtendedLifetime(document) {
                try BankStatement(json: try document.parse(writer.bytes))
            }
            #expect(again == statement)
        }
    }

    @Test("a byte that is changed is refused or read, and never ends the process or makes entries")
    func mutilation() {
        for text in [BankFiles.camt, BankFiles.mt940] {
            let bytes = Array(text.utf8)
            for place in stride(from: 0, to: bytes.count, by: 7) {
                for byte: UInt8 in [0x00, 0x20, 0x3C, 0x3A, 0xFF] {
                    var changed = bytes
                    changed[place] = byte
                    let found = (try? BankFile.statements(in: changed)) ?? []
                    for statement in found { #expect(statement.entries.count <= 3) }
                }
            }
        }
    }
}
