// SPDX-License-Identifier: Apache-2.0
package dev.filigree.data.tinypython;

import java.util.List;

/**
 * The words that generated programs and the slots of task templates are made of. Adding one must
 * not make a cue line of a final template; the tests of the tasks say so.
 */
public final class Lexicon {
  /** First names. */
  public static final List<String> PEOPLE =
      words(
          """
          alice bob carol david emma frank grace henry irene jack karen leo maria nina oscar paul quinn rosa
          sam tina ursula victor wendy xavier yara zoe anna ben clara daniel eva felix george hannah ivan
          julia kevin lucy martin nora olivia peter ruth simon tom vera walter amir chen diego elena fatima
          hugo ines jonas kira lars mona noah omar petra
          """);

  /** Things, in the singular. */
  public static final List<String> NOUNS =
      words(
          """
          account action address album alert answer apple area article author badge balance band bank basket
          bird block board book bottle branch bridge bucket budget button camera candle card cart cell chair
          chapter child city client clock cloud coach code coin color column comment company contact
          cookie corner cost counter country course cup customer cycle day deck desk device digit doctor
          document dog dollar door draft driver edge editor element employee engine entry error event exam
          example factor farm fee field figure file flag flight floor flower folder forest form frame
          friend game garden gate gift goal grade graph group guest guide habit hand hat hero hill hobby hotel
          hour house idea image island issue item job journey judge key kitchen lake lamp language layer
          leader leaf lesson letter level library light limit link lion list loan lock log loop machine
          manager mark market match meal measure member memory menu message meter method minute mirror
          mission model module moment month mountain movie name nation neighbor net node note nurse object
          office offer option orange order owner package page paint pair panel parcel park part partner party
          patient path payment pen pencil person phone photo picture piece pilot pixel place plan planet plant
          plate player pocket poem point policy pool port position post prize problem process product profile
          project prompt question queue quote race radio rate record region report request result review
          reward ring river road robot room route row rule sale sample school score screen season seat section
          seed segment sensor server service session shape sheet shelf ship shirt shop side sign signal singer
          site size skill slot snack song sound source space speaker speed spoon sport stage stamp star state
          station step stone store story stream street string student style subject suit table tag task taxi
          teacher team term test theme ticket tile time tool topic tower town toy track trade train transfer
          tree trick trip truck turn type unit update user valley value vector vehicle version video view
          village visit visitor voice vote voucher wall watch wave week wheel window winner word worker world
          writer year zone
          """);

  /** Qualities that go before a noun. */
  public static final List<String> ADJECTIVES =
      words(
          """
          active average bad basic best big blue bright busy clean clever cold common complete correct current
          daily dark deep different dry early easy empty exact extra false fast final first fixed flat free
          fresh full general good great green half happy hard heavy hidden high hot huge ideal inner
          invalid key large last late left light little local lonely long loose low lucky main major maximum
          minimum minor missing monthly narrow new noisy normal odd old open original outer pending
          perfect plain popular previous primary private proper public quick quiet random rare raw ready real
          recent red regular related rich right rough round safe second secret serious shared sharp short
          silent similar simple single slow small smart soft solid sorted special stable strict strong sudden
          sweet tall target temporary thick thin tiny top total true unique unknown upper urgent useful usual
          valid visible warm weak weekly wet wide wild wise wrong yellow young
          """);

  /** What functions do. */
  public static final List<String> VERBS =
      words(
          """
          add adjust apply archive assign attach balance build calculate cancel change check choose clean
          clear close collect combine compare compute confirm connect convert copy count create decode delete
          deliver describe detect divide double draw drop edit encode estimate evaluate expand export extract
          fetch fill filter find finish fix flip format gather generate get grade group guess handle hide
          identify improve include increase insert inspect invite join keep label list load locate lock
          log look make mark measure merge mix move multiply normalize notice open order pack paint parse
          pause pick place plan play predict prepare process produce pull push rank read record reduce refresh
          register remove rename repair repeat replace reset resize resolve rest restore reverse rotate round
          run save scale scan schedule score search select send set shift show shuffle sign skip solve sort
          split start stop store submit sum swap tag take test toggle track train transform translate trim
          turn update upload use validate verify visit wait walk weigh wrap write
          """);

  /** Cities. */
  public static final List<String> PLACES =
      words(
          """
          paris london berlin madrid rome vienna oslo cairo tokyo delhi lima quito boston denver austin dallas
          seattle chicago lisbon dublin prague warsaw athens helsinki nairobi sydney toronto havana
          """);

  /** Colours. */
  public static final List<String> COLORS =
      words(
          """
          red green blue yellow orange purple black white brown pink gray silver gold cyan magenta violet teal
          navy
          """);

  /** Goods, animals and tools, for the content of strings. */
  public static final List<String> THINGS =
      words(
          """
          apple banana cherry grape lemon mango peach plum pear melon carrot potato tomato onion bread butter
          cheese milk coffee tea sugar salt pepper rice pasta soup cake pizza salad juice cat dog horse rabbit
          tiger lion bear wolf fox mouse eagle shark whale frog hammer nail saw drill rope ladder brush bucket
          pen pencil paper ruler eraser stapler laptop tablet keyboard monitor printer router cable charger
          guitar piano violin drum flute trumpet
          """);

  /** Attributes of objects. */
  public static final List<String> ATTRIBUTES =
      words(
          """
          name title size color price age weight height width length count total score level rate status kind
          label value amount balance owner address email phone city country year month day speed power energy
          health position index capacity limit priority category description version path url host port
          timeout retries verbose debug parent children left right root head tail radius start end step data
          items queue cache history settings options config mode state active enabled visible locked model
          brand author pages rating salary department manager members team rank points
          """);

  /** What a method may compute. */
  public static final List<String> METHOD_NOUNS =
      words(
          """
          area average balance cost distance grade index label length limit median name price rank ratio
          report score size speed status summary total value volume weight
          """);

  /** Stems of files that programs read. */
  public static final List<String> INPUT_STEMS =
      words(
          """
          input data source config settings names words numbers scores users orders items prices students
          records dataset dictionary grades inventory questions measurements customers matrix survey samples
          readings template recipes cities train
          """);

  /** Stems of files that programs write. */
  public static final List<String> OUTPUT_STEMS =
      words(
          """
          output result results report summary log export backup out stats errors final processed sorted
          filtered cleaned invoice history saved archive predictions generated transcript averages merged
          totals copy converted rendered
          """);

  /** File name extensions. */
  public static final List<String> EXTENSIONS =
      words(
          """
          .txt .csv .json .log .dat .md .tsv .xml .html .yaml .ini
          """);

  /** Built-in exceptions that programs raise or catch. */
  public static final List<String> EXCEPTIONS =
      words(
          """
          ValueError TypeError KeyError IndexError RuntimeError FileNotFoundError ZeroDivisionError
          AttributeError OSError NotImplementedError PermissionError TimeoutError LookupError ArithmeticError
          StopIteration
          """);

  private Lexicon() {}

  /** Plural of a noun. */
  public static String plural(String noun) {
    if (noun.endsWith("child")) {
      return noun + "ren";
    }
    if (noun.endsWith("leaf") || noun.endsWith("shelf")) {
      return noun.substring(0, noun.length() - 1) + "ves";
    }
    if (noun.matches(".*(s|x|z|ch|sh)")) {
      return noun + "es";
    }
    if (noun.matches(".*[^aeiou]y")) {
      return noun.substring(0, noun.length() - 1) + "ies";
    }
    return noun + "s";
  }

  private static List<String> words(String text) {
    return List.of(text.strip().split("\\s+"));
  }
}
