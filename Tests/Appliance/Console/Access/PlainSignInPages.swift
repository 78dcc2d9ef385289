import HTTPTypes
import Hummingbird
import NIOCore

@testable import Console

/// The two forms without a style, for who asks nothing of the pages.
struct PlainSignInPages: SignInPages {
    func login(problem: String?) -> Response {
        Self.page(
            "Sign in", problem,
            """
            <form method="post" action="/login">
            <p><label>Name <input name="name" autocomplete="username" required></label></p>
            <p><label>Password <input name="password" type="password" \
            autocomplete="current-password" required></label></p>
            <p><label>Code, if you have one <input name="code" inputmode="numeric" \
            autocomplete="one-time-code"></label></p>
            <p><button>Sign in</button></p></form>
            """)
    }

    func setup(code: String, problem: String?) -> Response {
        Self.page(
            "Make the first account", problem,
            """
            <form method="post" action="/setup">
            <input name="code" type="hidden" value="\(Self.escaped(code))">
            <p><label>Name <input name="name" autocomplete="username" required></label></p>
            <p><label>Password, \(AccessLimits.passwordCharactersMin) characters or more \
            <input name="password" type="password" autocomplete="new-password" required>\
            </label></p>
            <p><button>Make it</button></p></form>
            """)
    }

    private static func page(_ title: String, _ problem: String?, _ form: String) -> Response {
        let told = problem.map { "<p role=\"alert\">\(escaped($0))</p>" } ?? ""
        let text = """
            <!doctype html><html lang="en"><meta charset="utf-8"><title>\(title) - Tillbox</title>
            <main><h1>\(title)</h1>\(told)
            \(form)
            </main></html>
            """
        return Response(
            status: .ok, headers: [.contentType: "text/html; charset=utf-8"],
            body: ResponseBody(byteBuffer: ByteBuffer(string: text)))
    }

    private static func escaped(_ text: String) -> String {
        text.replacing("&", with: "&amp;").replacing("<", with: "&lt;")
            .replacing("\"", with: "&quot;")
    }
}
