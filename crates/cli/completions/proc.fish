# Completion of proc in fish. `proc __complete` says what can stand at the cursor; fish quotes it.
function __proc_complete
    set -l words (commandline -opc)
    set -l current (commandline -ct | string unescape)
    set -l count (math (count $words) + 1)
    for line in (command proc __complete fish $count -- $words "$current" 2>/dev/null)
        switch $line
            case \tfiles
                __fish_complete_path "$current"
            case \tdirectories
                __fish_complete_directories "$current" ''
            case '*'
                printf '%s\n' $line
        end
    end
end
complete -c proc -f -k -a '(__proc_complete)'
