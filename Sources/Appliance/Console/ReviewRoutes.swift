package import Appliance
import Foundation
import HTTPTypes
import Hummingbird
import Vocabulary

/// `/api/v1/reviews` on the admin port.
///
/// | route | answer |
/// | --- | --- |
/// | `GET /api/v1/reviews?limit&after` | open reviews, in the order of their payments |
/// | `GET /api/v1/reviews/{id}` | one review, open or not, with what is left to be refunded |
/// | `POST /api/v1/reviews/{id}/decision` `{"decision","note"}` | 200 booked, 202 it will be |
///
/// A decision is taken under the caller's own name. Only the data folder's token says `by`, which
/// it must: it names who sits at the command line.
///
/// `id` is the payment: `charge:ch_…` or `ch_…`. A review that is not open, or that somebody else
/// has just decided, is a 409 that says who was first. A request that names another data folder in
/// `tillbox-data-folder` is refused with 409 too.
package struct ReviewRoutes: Sendable {
    let desk: ReviewDesk
    let ledger: any LedgerReading
    /// Where disputes of a payment are looked up; nil where they are not.
    let payments: PaymentSources?
    /// The data folder, so that a command can make sure that it speaks to the right daemon.
    let dataPath: String

    private static let limitMax = 1000
    private static let bodyByteCountMax = 16_384
    private let queue = BlockingQueue("tillbox.console.reviews")

    package init(
        desk: ReviewDesk, ledger: any LedgerReading, payments: PaymentSources? = nil,
        dataPath: String
    ) {
        self.desk = desk
        self.ledger = ledger
        self.payments = payments
        self.dataPath = dataPath
    }

    package func add(to routes: inout AdminRoutes) {
        routes.get("/api/v1/reviews", needs: .viewer) { request, _ in try await list(request) }
        routes.get("/api/v1/reviews/:id", needs: .viewer) { _, context in
            try await show(context.word("id"))
        }
        routes.post("/api/v1/reviews/:id/decision", needs: .reviewer) { request, context in
            try DataFolderCheck.check(request, dataPath: dataPath)
            try request.checkIsJSON()
            let body = try await request.bytes(upTo: Self.bodyByteCountMax)
            return try await decide(context.word("id"), body, context)
        }
    }

    private func list(_ request: Request) async throws -> Response {
        let limit = try request.limit(upTo: Self.limitMax)
        let after = try request.after { text in Int64(text).flatMap { $0 >= 0 ? $0 : nil } }
        let reviews = try await queue.run { [ledger] () throws(LedgerError) in
            try ledger.openReviews(after: TransactionID(after ?? 0), limit: limit)
        }
        return Response.jsonObject(.ok) { writer in
            writer.key("reviews")
            writer.beginArray()
            for review in reviews { review.encode(into: &writer) }
            writer.endArray()
            writer.member(
                "next", reviews.count == limit ? reviews.last?.payment.rawValue : nil)
        }
    }

    private func show(_ id: String) async throws -> Response {
        let (found, refunds, disputed) = try await queue.run { [ledger, payments] in
            let movement = ReviewName.movement(id)
            let found = try ledger.review(of: movement)
            return (
                found, try ledger.givenRefunds(of: movement),
                try found.flatMap { try payments?.disputed(of: $0) } ?? .zero
            )
        }
        guard let found else { throw Self.problem(.unknown(String(id.prefix(80)))) }
        return Response.jsonObject(.ok) { writer in
            found.encodeMembers(into: &writer)
            refunds.encodeMembers(of: found, disputed: disputed, into: &writer)
        }
    }

    private func decide(
        _ id: String, _ body: [UInt8], _ context: AdminContext
    ) async throws -> Response {
        do {
            let request = try ReviewRequest.decode(body) { try context.name(saying: $0) }
            let answer = try await desk.decide(id, request)
            return Response.json(answer.isBooked ? .ok : .accepted) { answer.encode(into: &$0) }
        } catch let refusal as ReviewRefusal {
            throw Self.problem(refusal)
        }
    }

    private static func problem(_ refusal: ReviewRefusal) -> Problem {
        let status: HTTPResponse.Status =
            switch refusal {
            case .badRequest: .badRequest
            case .unknown: .notFound
            case .closed, .beingDecided: .conflict
            case .beingTaken, .ledgerBehind: .serviceUnavailable
            }
        return Problem(status, refusal.message, code: refusal.code)
    }
}
