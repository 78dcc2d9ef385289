import HTTPTypes
import Hummingbird
import NIOCore
import Vocabulary

/// `GET /api/v1/reports/{name}?from&to&format` on the admin port: a line for every UTC day and
/// currency, as JSON or CSV.
package struct ReportRoutes: Sendable {
    let source: ReportSource
    private let queue = BlockingQueue("tillbox.console.reports")

    /// The form of an answer.
    private enum Form: String, CaseIterable { case json, csv }

    package init(source: ReportSource) { self.source = source }

    package func add(to routes: inout AdminRoutes) {
        routes.get("/api/v1/reports/:name", needs: .viewer) { request, context in
            try request.checkParameters(["from", "to", "format"])
            guard let report = DayReport(rawValue: context.word("name")),
                source.reports.contains(report)
            else {
                throw Problem(
                    .notFound, "there is no report \(context.word("name").prefix(40)); there are: "
                        + source.reports.map(\.rawValue).joined(separator: ", "))
            }
            let period = try request.period()
            let form = try request.word("format", as: Form.self) ?? .json
            let sums = try await queue.run { [source] in
                try source.sums(
                    report.words, period.from ?? Instant(seconds: .min),
                    period.to ?? Instant(seconds: .max))
            }
            let lines = report.lines(of: sums)
            return form == .csv ? Self.csv(report, lines) : json(report, lines)
        }
    }

    private func json(_ report: DayReport, _ lines: [DayReport.Line]) -> Response {
        Response.jsonObject(.ok) { writer in
            writer.member("report", report.rawValue)
            writer.list("days", lines) { writer, line in
                writer.object { writer in
                    writer.member("day", line.day)
                    writer.member("currency", line.currency)
                    for (name, value) in line.values {
                        writer.key(named: name)
                        switch value {
                        case .count(let count): writer.int(count)
                        case .amount(let amount): writer.int(amount)
                        case .rate(let rate):
                            if let rate { writer.double(rate) } else { writer.null() }
                        }
                    }
                }
            }
            writer.member("index_lag", source.lag())
        }
    }

    private static func csv(_ report: DayReport, _ lines: [DayReport.Line]) -> Response {
        var text = (["day", "currency"] + report.columns).joined(separator: ",") + "\n"
        for line in lines {
            let values = line.values.map { _, value in
                switch value {
                case .count(let count): "\(count)"
                case .amount(let amount): "\(amount)"
                case .rate(let rate): rate.map { "\($0)" } ?? ""
                }
            }
            text += ([line.day, line.currency] + values).joined(separator: ",") + "\n"
        }
        return Response(
            status: .ok,
            headers: [
                .contentType: "text/csv; charset=utf-8", .xContentTypeOptions: "nosniff",
                .contentDisposition: "attachment; filename=\"tillbox-\(report.rawValue).csv\"",
            ], body: ResponseBody(byteBuffer: ByteBuffer(string: text)))
    }
}
