# Completion of proc in elvish. `proc __complete` says what can stand at the cursor; elvish quotes it.
use str
set edit:completion:arg-completer[proc] = {|@words|
  e:proc __complete elvish (count $words) -- $@words 2>/dev/null | from-lines | each {|line|
    var word about = (str:split &max=2 "\t" $line)
    if (eq $word '') {
      edit:complete-filename $words[-1]
    } elif (eq $about '') {
      edit:complex-candidate $word
    } else {
      edit:complex-candidate $word &display=$word'  '$about
    }
  }
}
