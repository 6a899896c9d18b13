# Profiles and databases are asked for; everything else is known above. No files, where none can be given.
_snapferry_names() {
    local line="${COMP_LINE:0:COMP_POINT}" kind="" files="" typed words previous word
    typed="${line##* }"
    read -r -a words <<<"${line% *}"
    previous="${words[${#words[@]} - 1]}"
    case "${previous}" in
        --profile) kind=profiles ;;
        --only) kind=databases ;;
        --html | --plan | --all) files=yes ;;
        -*) ;;
        *)
            if [[ "${typed}" != -* ]]; then
                for word in "${words[@]}"; do
                    case "${word}" in copies | restore-command) kind=databases ;; esac
                done
            fi
            ;;
    esac
    if [[ -z "${kind}" ]]; then
        _snapferry "$@"
    else
        local IFS=$'\n'
        COMPREPLY=($("$1" __names "${kind}" -- "${words[@]}" "${typed}" 2>/dev/null))
        # bash takes a word for several where it has a colon, and completes the last of them.
        if [[ "${typed}" == *:* && "${COMP_WORDBREAKS}" == *:* ]]; then
            COMPREPLY=("${COMPREPLY[@]#"${typed%"${typed##*:}"}"}")
        fi
    fi
    if [[ -z "${files}" ]]; then
        compopt +o default +o bashdefault 2>/dev/null
    fi
    return 0
}
complete -F _snapferry_names -o bashdefault -o default snapferry
