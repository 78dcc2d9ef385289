/// Files as banks write them, in which the same things happen.
enum BankFiles {
    /// A batch of two payouts, a charge of the bank's, an entry that is only announced.
    static let camt = """
        <?xml version="1.0" encoding="UTF-8"?>
        <!-- from a bank -->
        <Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.053.001.08">
         <BkToCstmrStmt><GrpHdr><MsgId>1</MsgId></GrpHdr><Stmt><Id>S1</Id>
          <FrToDt><FrDtTm>2026-10-01T00:00:00+02:00</FrDtTm>
           <ToDtTm>2026-10-02T23:59:59+02:00</ToDtTm></FrToDt>
          <Acct><Id><IBAN>DE02120300000000202051</IBAN></Id><Ccy>EUR</Ccy></Acct>
          <RltdAcct><Id><IBAN>XX00</IBAN></Id></RltdAcct>
          <Bal><Tp><CdOrPrtry><Cd>OPBD</Cd></CdOrPrtry></Tp>
           <CdtLine><Incl>false</Incl><Amt Ccy="EUR">999.00</Amt></CdtLine>
           <Amt Ccy="EUR">100.00</Amt><CdtDbtInd>DBIT</CdtDbtInd><Dt><Dt>2026-10-01</Dt></Dt></Bal>
          <Bal><Tp><CdOrPrtry><Cd>CLBD</Cd></CdOrPrtry></Tp>
           <Amt Ccy="EUR">1195.49</Amt><CdtDbtInd>CRDT</CdtDbtInd>
           <Dt><Dt>2026-10-02</Dt></Dt></Bal>
          <Ntry><NtryRef>1</NtryRef><Amt Ccy="EUR">1300.50</Amt><CdtDbtInd>CRDT</CdtDbtInd>
           <Sts><Cd>BOOK</Cd></Sts><BookgDt><Dt>2026-10-01</Dt></BookgDt>
           <AcctSvcrRef>REF1</AcctSvcrRef><NtryDtls>
            <TxDtls><Refs><EndToEndId>po_one</EndToEndId></Refs><Amt Ccy="EUR">1000.50</Amt>
             <RltdPties><Dbtr><Pty><Nm>STRIPE &amp; Co</Nm></Pty></Dbtr></RltdPties></TxDtls>
            <TxDtls><Refs><EndToEndId>NOTPROVIDED</EndToEndId></Refs><Amt Ccy="EUR">300.00</Amt>
             <RmtInf><Ustrd><![CDATA[STRIPE
             two]]></Ustrd></RmtInf></TxDtls></NtryDtls></Ntry>
          <Ntry><Amt Ccy="EUR">5.01</Amt><CdtDbtInd>DBIT</CdtDbtInd><Sts>BOOK</Sts>
           <BookgDt><DtTm>2026-10-02T09:00:00+02:00</DtTm></BookgDt>
           <AddtlNtryInf>Kontof&#252;hrung</AddtlNtryInf></Ntry>
          <Ntry><Amt Ccy="EUR">7.00</Amt><CdtDbtInd>CRDT</CdtDbtInd><Sts><Cd>PDNG</Cd></Sts>
           <BookgDt><Dt>2026-10-02</Dt></BookgDt></Ntry>
         </Stmt></BkToCstmrStmt></Document>
        """

    /// The first entry is booked in the new year; the second takes back what came in.
    static let mt940 = [
        "{1:F01BANKDEFFAXXX0000000000}{2:I940BANKDEFFXXXXN}{4:", ":20:STARTUMS",
        ":25:12030000/202051", ":28C:1/1", ":60F:C251231EUR50,",
        ":61:2512310102CR1000,5NTRFNONREF//B1", "zweite Zeile",
        ":86:166?00GUTSCHRIFT?20STRIPE PAY?21OUT po_one?32STRIPE", ":61:260103RC0,50NTRFX//B2",
        ":86:Storno", ":62F:C260103EUR1050,", ":86:am Ende", "-}", "",
    ].joined(separator: "\r\n")

    static let csv = """
        Kontoauszug;;;
        Buchungstag;Name;Verwendungszweck;Betrag
        01.10.2026;"STRIPE; Ltd";"sagt ""po_one""
        in zwei Zeilen";1.000,50
        02.10.2026;Bank;Gebühr;-5,01
        ;;;

        """
    static let mapping = """
        {"date":"Buchungstag","date_format":"dd.MM.yyyy","amount":"Betrag","decimal":",",
         "currency_is":"EUR","account_is":"DE02","text":["Name","Verwendungszweck"],
         "delimiter":";","skip":1}
        """
}
