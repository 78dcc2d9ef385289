import Foundation
import Terminal

/// A line that a person types at a terminal. Questions go to standard error: standard output may be
/// a file.
enum TypedLine {
    /// - Returns: nil where the input has ended.
    static func read(_ prompt: String) -> String? {
        FileHandle.standardError.write(Data(prompt.utf8))
        return readLine(strippingNewline: true)
    }

    /// Without showing what is typed.
    ///
    /// - Parameter what: is asked for, such as `password`.
    static func hidden(_ prompt: String, what: String) throws(CommandFailure) -> String {
        var before = termios()
        guard tcgetattr(STDIN_FILENO, &before) == 0 else { throw cannotHide(what) }
        var silent = before
        silent.c_lflag &= ~tcflag_t(ECHO)
        guard tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent) == 0 else { throw cannotHide(what) }
        defer { tcsetattr(STDIN_FILENO, TCSAFLUSH, &before) }
        let line = read(prompt)
        FileHandle.standardError.write(Data("\n".utf8))
        guard let line else { throw .cannotRun("there is no \(what) on standard input") }
        return line
    }

    private static func cannotHide(_ what: String) -> CommandFailure {
        .cannotRun("this terminal cannot hide what is typed; pipe the \(what) in")
    }
}
