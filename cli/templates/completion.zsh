_snapferry_names() {
    local -a names
    names=("${(@f)$(${words[1]} __names $1 -- "${(@)words[1,CURRENT]}" 2>/dev/null)}")
    names=("${(@)names:#}")
    compadd -- "${(@)names}"
}
_snapferry_profiles() { _snapferry_names profiles }
_snapferry_databases() { _snapferry_names databases }

