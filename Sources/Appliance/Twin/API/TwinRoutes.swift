import Hummingbird

/// The twin's HTTP face: `/v1/…` as Stripe's, and `/twin/…` to control it.
struct TwinRoutes: Sendable {
    let twin: Twin

    init(_ twin: Twin) { self.twin = twin }

    /// Others may add routes to it, below `/twin/` with a name of their own.
    func router() -> Router<BasicRequestContext> {
        Router(context: BasicRequestContext.self)
    }
}
