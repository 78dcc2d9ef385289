package import Hummingbird

/// The pages on which somebody signs in, by whoever draws them.
package protocol SignInPages: Sendable {
    /// - Parameter problem: why the last attempt failed; nil at the first.
    func login(problem: String?) -> Response

    /// Where the first account is made.
    ///
    /// - Parameter code: goes back with the form, in a field of this name.
    func setup(code: String, problem: String?) -> Response
}
