import Foundation

/// Words of a command that can be pasted into a shell.
package enum ShellWord {
    /// This program, so that it is found from any folder.
    package static var thisProgram: String {
        let name = CommandLine.arguments.first ?? "tillbox"
        guard name.contains("/"), !name.hasPrefix("/") else { return name }
        return URL(filePath: name).standardizedFileURL.path
    }

    /// As it is where a shell reads it so, else in single quotes.
    package static func quoted(_ word: String) -> String {
        let isPlain = word.unicodeScalars.allSatisfy {
            CharacterSet.alphanumerics.contains($0) || "/._-+:=@%,".unicodeScalars.contains($0)
        }
        return isPlain && !word.isEmpty ? word : "'" + word.replacing("'", with: "'\\''") + "'"
    }
}
