(* libvirt's qemu.conf, whatever its keys are. libvirt's own lens knows the keys
   of one version, and refuses what libvirt's parser takes: a list where most
   have one value, single quotes, a comma or a comment at the end.
   Values keep their quotes here. A list is "[", its values are under list/. *)
module Daxcolor_qemu_conf =

let blank = /[ \t\r\n]*/
let eol = del /[ \t\r]*(#[^\n]*)?\n/ "\n"

let value = store /"[^"\n]*"|'[^'\n]*'|[+-]?[0-9]+/
let element = [ seq "value" . value . del blank "" ]
let list = store "[" . del blank "\n    "
         . [ label "list" . counter "value"
             . ( element . ( del /,[ \t\r\n]*/ ",\n    " . element )*
                 . del /(,[ \t\r\n]*)?/ "" )?
             . del "]" "]" ]

let entry = [ del /[ \t]*/ "" . key /[A-Za-z_][A-Za-z0-9_.-]*/
            . del /[ \t]*=[ \t]*/ " = " . ( value | list ) . eol ]
let comment = [ label "#comment" . del /[ \t]*#[ \t]*/ "# "
              . store /([^ \t\n][^\n]*)?/ . del "\n" "\n" ]
let empty = [ label "#empty" . del /[ \t\r]*\n/ "\n" ]

let lns = ( entry | comment | empty )*
