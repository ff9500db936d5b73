
# From the block design to the bitstream. Results lie in the folder "overlay" beside this script.

set here [file dirname [file normalize [info script]]]
set overlay [file join $here overlay]

create_project $name [file join $here vivado] -part $part -force
set preset [expr {[llength [get_board_parts -quiet $board_part]] > 0}]
if {$preset} {
    set_property board_part $board_part [current_project]
} else {
    puts "WARNING: no files of the board $board_part: its presets are not used"
}
set_property ip_repo_paths [list $here] [current_project]
update_ip_catalog
if {![llength [get_ipdefs -quiet $component]]} {
    error "Vivado does not accept component.xml: let it write its own, vivado -mode batch\
        -source package.tcl, and start again"
}

create_bd_design $name
build_design $preset
validate_bd_design
save_bd_design

set design [get_files $name.bd]
generate_target all $design
add_files -norecurse [make_wrapper -files $design -top]
if {$constraints ne ""} {
    add_files -fileset constrs_1 -norecurse [file join $here $constraints]
}
set_property top ${name}_wrapper [current_fileset]
update_compile_order -fileset sources_1

launch_runs impl_1 -to_step write_bitstream -jobs 4
wait_on_run impl_1
if {[get_property PROGRESS [get_runs impl_1]] ne "100%"} {
    error "implementation failed: see [get_property DIRECTORY [get_runs impl_1]]"
}

open_run impl_1
file mkdir $overlay
report_utilization -hierarchical -file [file join $overlay utilization.txt]
report_timing_summary -file [file join $overlay timing.txt]
set run [get_property DIRECTORY [get_runs impl_1]]
file copy -force [file join $run ${name}_wrapper.bit] [file join $overlay $name.bit]
# Older versions keep the hand-off below .srcs, newer ones below .gen.
foreach hwh [glob -nocomplain -directory [file join $here vivado] \
        $name.{gen,srcs}/sources_1/bd/$name/hw_handoff/$name.hwh] {
    file copy -force $hwh [file join $overlay $name.hwh]
}
write_hw_platform -fixed -include_bit -force -file [file join $overlay $name.xsa]

set slack [get_property STATS.WNS [get_runs impl_1]]
if {$slack < 0} {
    error "too fast: the slowest path misses $clock_mhz MHz by [expr {-$slack}] ns; lower clock_mhz"
}
puts "$overlay: $name.bit at $clock_mhz MHz, slack $slack ns"
