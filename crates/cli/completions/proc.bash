# Completion of proc in bash. `proc __complete` says what can stand at the cursor; words come quoted
# and without what bash keeps of the word (COMP_WORDBREAKS has the colon).
_proc() {
    local line
    COMPREPLY=()
    while IFS= read -r line; do
        case $line in
            $'\tfiles') compopt -o default -o filenames 2>/dev/null; COMPREPLY=() ;;
            $'\tdirectories') compopt -o dirnames -o filenames 2>/dev/null ;;
            *) COMPREPLY+=("$line") ;;
        esac
    done < <(command proc __complete bash "$COMP_WORDBREAKS" "$COMP_TYPE" "${COMP_LINE:0:COMP_POINT}" 2>/dev/null)
    case ${#COMPREPLY[@]}:${COMPREPLY[0]} in
        1:*:|1:*=) compopt -o nospace 2>/dev/null ;;
    esac
}
complete -o nosort -F _proc proc 2>/dev/null || complete -F _proc proc
