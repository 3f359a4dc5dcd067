# Completion of proc in nushell: an external completer that answers for proc and leaves every other
# command to the completer that was there. `proc __complete` says what can stand at the cursor, quoted.
$env.config.completions.external = (
    let before = $env.config.completions.external?.completer?;
    {
        enable: true
        max_results: 500
        completer: {|spans|
            if $spans.0 != "proc" {
                if $before == null { null } else { do $before $spans }
            } else {
                let lines = (^proc __complete nushell ($spans | length) -- ...$spans | lines)
                if ($lines | any {|line| $line | str starts-with "\t" }) {
                    null
                } else {
                    $lines | each {|line|
                        let parts = ($line | split row -n 2 "\t")
                        { value: $parts.0, description: ($parts | get 1) }
                    }
                }
            }
        }
    }
)
