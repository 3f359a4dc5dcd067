# Completion of proc in PowerShell. `proc __complete` says what can stand at the cursor, quoted.
Register-ArgumentCompleter -Native -CommandName proc -ScriptBlock {
    param($wordToComplete, $commandAst, $cursorPosition)
    $words = @($commandAst.CommandElements | Where-Object { $_.Extent.EndOffset -lt $cursorPosition } | ForEach-Object {
        if ($_ -is [System.Management.Automation.Language.StringConstantExpressionAst]) { $_.Value } else { $_.Extent.Text }
    })
    $count = $words.Count + 1
    if ($wordToComplete) { $words += $wordToComplete.Trim("'`"") }
    & (Get-Command proc -CommandType Application | Select-Object -First 1) __complete powershell $count -- @words 2>$null | ForEach-Object {
        $word, $about = $_ -split "`t", 2
        if ($word -eq '') {
            [System.Management.Automation.CompletionCompleters]::CompleteFilename($wordToComplete)
        } else {
            if (-not $about) { $about = $word }
            [System.Management.Automation.CompletionResult]::new($word, $word, 'ParameterValue', $about)
        }
    }
}
