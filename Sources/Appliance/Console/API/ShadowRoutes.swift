import Hummingbird
import Vocabulary

/// `GET /api/v1/model/shadow` on the admin port: what another model made of payments, as the last
/// `tillbox model shadow` has left it.
package struct ShadowRoutes: Sendable {
    let kept: @Sendable () -> KeptShadow
    private let queue = BlockingQueue("tillbox.console.shadow")

    package init(kept: @escaping @Sendable () -> KeptShadow) { self.kept = kept }

    package func add(to routes: inout AdminRoutes) {
        routes.get("/api/v1/model/shadow", needs: .viewer) { _, _ in
            let kept = await queue.run { [kept] in kept() }
            return Response.jsonObject(.ok) { writer in
                writer.key("report")
                if case .report(let report) = kept {
                    report.encode(into: &writer)
                } else {
                    writer.null()
                }
                var problem: String?
                if case .unreadable(let why) = kept { problem = why }
                writer.member("problem", problem)
            }
        }
    }
}
