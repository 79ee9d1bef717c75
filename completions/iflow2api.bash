_iflow2api_completion() {
    local IFS=$'
'
    COMPREPLY=( $( env COMP_WORDS="${COMP_WORDS[*]}" \
                   COMP_CWORD=$COMP_CWORD \
                   _IFLOW2API_COMPLETE=complete_bash $1 ) )
    return 0
}

complete -o default -F _iflow2api_completion iflow2api
